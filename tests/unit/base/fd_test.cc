#include "base/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"

using namespace mbuild;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
bool is_close_on_exec(const Fd& fd) { return (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0; }
std::size_t entries(const std::string& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

}  // namespace

TEST_CASE("A descriptor is closed with its owner") {
  int number = -1;
  {
    const Fd fd = memory_file("");
    number = fd.get();
    REQUIRE(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("Moving a descriptor leaves the source empty and closes what the target had") {
  Fd a = memory_file(""), b = memory_file("");
  const int first = a.get(), second = b.get();
  b = std::move(a);
  CHECK_FALSE(a);
  CHECK(b.get() == first);
  CHECK(is_open(first));
  CHECK_FALSE(is_open(second));
}

TEST_CASE("Moving a descriptor onto itself keeps it") {
  Fd fd = memory_file("");
  Fd& same = fd;
  fd = std::move(same);
  CHECK(fd);
  CHECK(is_open(fd.get()));
}

TEST_CASE("A released descriptor stays open") {
  Fd fd = memory_file("");
  const Fd other(fd.release());
  CHECK_FALSE(fd);
  CHECK(is_open(other.get()));
}

TEST_CASE("All descriptors that are made here are close-on-exec") {
  const TemporaryDirectory directory;
  const Pipe pipe = make_pipe();
  const Fd memory = memory_file("x");
  CHECK(is_close_on_exec(pipe.read));
  CHECK(is_close_on_exec(pipe.write));
  CHECK(is_close_on_exec(memory));
  CHECK(is_close_on_exec(duplicate(memory.get())));
  CHECK(is_close_on_exec(open_file(directory / "f", O_WRONLY | O_CREAT)));
}

TEST_CASE("Opening what is not there names the path") {
  CHECK(error_of([] { open_file("/nonexistent/file", O_RDONLY); }) ==
        "4 open /nonexistent/file: No such file or directory");
}

TEST_CASE("A memory file is read from its start") { CHECK(read_all(memory_file("abc").get()) == "abc"); }

TEST_CASE("read_all returns every byte of large and of binary files") {
  std::string content(300'001, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7);
  CHECK(read_all(memory_file(content).get()) == content);
  CHECK(read_all(memory_file("").get()).empty());
}

TEST_CASE("read_all reads files that state no size") { CHECK_FALSE(read_file("/proc/self/status").empty()); }

TEST_CASE("read_full fills the buffer although the bytes come in parts") {
  Pipe pipe = make_pipe();
  std::jthread writer([&] {
    for (const char* part : {"ab", "cd", "e"}) write_all(pipe.write.get(), part);
    pipe.write.reset();
  });
  std::array<std::byte, 4> buffer;
  CHECK(read_full(pipe.read.get(), buffer) == 4);
  CHECK(std::memcmp(buffer.data(), "abcd", 4) == 0);
  CHECK(read_full(pipe.read.get(), buffer) == 1);
  CHECK(read_full(pipe.read.get(), buffer) == 0);
}

TEST_CASE("write_all writes more than a pipe holds") {
  Pipe pipe = make_pipe();
  const std::string content(1'000'000, 'x');
  std::string got;
  std::jthread reader([&] { got = read_all(pipe.read.get()); });
  write_all(pipe.write.get(), content);
  pipe.write.reset();
  reader.join();
  CHECK(got == content);
}

TEST_CASE("Reading a directory as a file fails and names it") {
  const TemporaryDirectory directory;
  const auto error = error_of([&] { read_file(directory.path()); });
  CHECK(error.find(directory.path()) != std::string::npos);
  CHECK(error.find("Is a directory") != std::string::npos);
}

TEST_CASE("Writing atomically replaces the content and leaves no other file") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "one", 0640);
  write_file_atomically(directory / "f", "two", 0640);
  CHECK(read_file(directory / "f") == "two");
  CHECK(entries(directory.path()) == 1);
}

TEST_CASE("Writing atomically leaves an open reader with the old content") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "old");
  const Fd reader = open_file(directory / "f", O_RDONLY);
  write_file_atomically(directory / "f", "new content");
  CHECK(read_all(reader.get()) == "old");
}

TEST_CASE("Writing atomically that cannot end leaves nothing behind") {
  const TemporaryDirectory directory;
  make_directories(directory / "taken/below");
  CHECK(error_of([&] { write_file_atomically(directory / "taken", "x"); }).starts_with("4 rename to "));
  CHECK(entries(directory.path()) == 1);
}

TEST_CASE("Missing parent directories are made, present ones are left as they are") {
  const TemporaryDirectory directory;
  make_directories(directory / "a", 0700);
  make_directories(directory / "a/b/c/", 0755);
  make_directories(directory / "a/b/c", 0755);
  CHECK(path_exists(directory / "a/b/c"));
  struct stat status;
  REQUIRE(::stat((directory / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
}

TEST_CASE("A file where a directory is to be made is an error that names it") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "x");
  CHECK(error_of([&] { make_directories(directory / "f"); }) == "4 mkdir " + (directory / "f") + ": Not a directory");
  CHECK(error_of([&] { make_directories(directory / "f/g"); }).find(directory / "f/g") != std::string::npos);
}

TEST_CASE("A link to a directory counts as the directory") {
  const TemporaryDirectory directory;
  make_directories(directory / "real");
  REQUIRE(::symlink("real", (directory / "link").c_str()) == 0);
  make_directories(directory / "link/below");
  CHECK(path_exists(directory / "real/below"));
}

namespace {

// A file of 16 MiB whose bytes are on the disk, and how many of its pages are in the page cache.
class CachedFile {
 public:
  static constexpr std::size_t k_size = std::size_t{16} << 20;

  explicit CachedFile(const std::string& path) : fd_(open_file(path, O_RDWR | O_CREAT)) {
    write_all(fd_.get(), std::string(k_size, 'x'));
    REQUIRE(::fsync(fd_.get()) == 0);
    map_ = ::mmap(nullptr, k_size, PROT_READ, MAP_SHARED, fd_.get(), 0);
    REQUIRE(map_ != MAP_FAILED);
  }
  CachedFile(const CachedFile&) = delete;
  ~CachedFile() { ::munmap(map_, k_size); }

  int fd() const { return fd_.get(); }
  std::size_t resident_pages() const {
    std::vector<unsigned char> resident(k_size / 4096);
    REQUIRE(::mincore(map_, k_size, resident.data()) == 0);
    return static_cast<std::size_t>(std::ranges::count_if(resident, [](auto page) { return (page & 1) != 0; }));
  }

 private:
  Fd fd_;
  void* map_ = nullptr;
};

}  // namespace

TEST_CASE("What was written leaves the page cache once it is on the disk") {
  const TemporaryDirectory directory;
  const CachedFile control(directory / "control"), file(directory / "file");
  const auto all = control.resident_pages();
  ::posix_fadvise(control.fd(), 0, 0, POSIX_FADV_DONTNEED);
  NEEDS(all > 0 && control.resident_pages() <= all / 4, "a file system that drops pages (tmpfs does not)");
  DropBehind behind(file.fd());
  behind.advance(1 << 20);
  CHECK(file.resident_pages() > all / 2);  // not worth a call yet
  behind.advance(CachedFile::k_size - (1 << 20));
  CHECK(file.resident_pages() <= all / 4);
  REQUIRE(::lseek(file.fd(), 0, SEEK_SET) == 0);
  CHECK(read_all(file.fd()) == std::string(CachedFile::k_size, 'x'));
}

TEST_CASE("Nothing is dropped of a pipe, and that is no error") {
  const Pipe pipe = make_pipe();
  DropBehind behind(pipe.write.get());
  CHECK_NOTHROW(behind.advance(std::uint64_t{1} << 30));
}
