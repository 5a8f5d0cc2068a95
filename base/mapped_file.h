#pragma once

#include <string_view>
#include <utility>

namespace mbuild {

// The bytes of a file, mapped for reading. The file must not become shorter while it is mapped.
class MappedFile {
 public:
  MappedFile() = default;
  // All of the file; of an empty one there are no bytes. `name` is for messages. Throws Error.
  MappedFile(int fd, std::string_view name);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace mbuild
