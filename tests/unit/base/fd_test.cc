#include "base/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

TEST_CASE("What was written to the end of a window leaves the page cache once it is on the disk, and only from there") {
  const TemporaryDirectory directory;
  const Fd fd = open_file(directory / "f", O_RDWR | O_CREAT);
  const std::string content(std::size_t{16} << 20, 'x');
  struct statfs kind;
  REQUIRE(::fstatfs(fd.get(), &kind) == 0);
  write_all(fd.get(), content);
  REQUIRE(::fsync(fd.get()) == 0);
  void* const map = ::mmap(nullptr, content.size(), PROT_READ, MAP_SHARED, fd.get(), 0);
  REQUIRE(map != MAP_FAILED);
  std::vector<unsigned char> resident(content.size() / 4096);
  const auto resident_pages = [&] {
    REQUIRE(::mincore(map, content.size(), resident.data()) == 0);
    return std::ranges::count_if(resident, [](unsigned char page) { return (page & 1) != 0; });
  };
  const auto before = resident_pages();
  DropBehind behind(fd.get());
  behind.advance(1 << 20);
  CHECK(resident_pages() == before);  // not worth a call yet
  behind.advance(content.size() - (1 << 20));
  const bool in_memory_only = kind.f_type == TMPFS_MAGIC;
  CHECK(resident_pages() <= (in_memory_only ? before : before / 4));
  ::munmap(map, content.size());
  REQUIRE(::lseek(fd.get(), 0, SEEK_SET) == 0);
  CHECK(read_all(fd.get()) == content);
}

TEST_CASE("Nothing is dropped of a pipe, and that is no error") {
  const Pipe pipe = make_pipe();
  DropBehind behind(pipe.write.get());
  CHECK_NOTHROW(behind.advance(std::uint64_t{1} << 30));
}
