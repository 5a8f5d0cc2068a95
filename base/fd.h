#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mbuild {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

// All descriptors made here are close-on-exec. Failures throw Error (class store) that names the path.
Fd open_file(const std::string& path, int flags, unsigned mode = 0666);
Fd open_at(int directory, const std::string& path, int flags, unsigned mode = 0666);
Pipe make_pipe();
Fd duplicate(int fd);
Fd memory_file(std::string_view content);

// Reads until `buffer` is full or the file ends; returns the bytes read. Throws on an I/O error.
std::size_t read_full(int fd, std::span<std::byte> buffer);
std::string read_all(int fd);
void write_all(int fd, std::string_view data);

std::string read_file(const std::string& path);
// Writes to a temporary name in the same directory, then renames: readers see all of it or nothing.
void write_file_atomically(const std::string& path, std::string_view content, unsigned mode = 0666);

// mkdir -p; throws Error naming the path.
void make_directories(const std::string& path, unsigned mode = 0777);
bool path_exists(const std::string& path);

}  // namespace mbuild
