#include "base/output_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::testing;

namespace {

std::size_t entries_of(const std::string& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

unsigned mode_of(const std::string& path) {
  struct stat status = {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("A new file is there when it is complete, and nothing of it before") {
  const TemporaryDirectory directory;
  {
    OutputFile file(directory / "f");
    CHECK(file.is_file());
    write_all(file.fd(), "content");
    CHECK(!path_exists(directory / "f"));
    file.commit();
    CHECK(read_file(directory / "f") == "content");
  }
  CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("What is not committed leaves everything as it was") {
  const TemporaryDirectory directory;
  write_output(directory / "f", "old");
  {
    OutputFile file(directory / "f");
    write_all(file.fd(), "new");
  }
  CHECK(read_file(directory / "f") == "old");
  CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("A file that is there is replaced and keeps its mode") {
  const TemporaryDirectory directory;
  write_output(directory / "f", "old");
  ::chmod((directory / "f").c_str(), 0640);
  const Fd reader = open_file(directory / "f", O_RDONLY);
  write_output(directory / "f", "new");
  CHECK(read_file(directory / "f") == "new");
  CHECK(read_all(reader.get()) == "old");
  CHECK(mode_of(directory / "f") == 0640);
  CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("Symlinks are followed, also to what is not there yet") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "there");
  write_output(directory / "there/old", "old");
  std::filesystem::create_symlink("there/old", directory / "link");
  std::filesystem::create_symlink("link", directory / "second");
  std::filesystem::create_symlink(directory / "there/new", directory / "dangling");
  write_output(directory / "second", "1");
  write_output(directory / "dangling", "2");
  CHECK(std::filesystem::is_symlink(directory / "second"));
  CHECK(std::filesystem::is_symlink(directory / "dangling"));
  CHECK(read_file(directory / "there/old") == "1");
  CHECK(read_file(directory / "there/new") == "2");
  CHECK(entries_of(directory / "there") == 2);
}

TEST_CASE("A circle of symlinks and a directory are refused") {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("b", directory / "a");
  std::filesystem::create_symlink("a", directory / "b");
  CHECK(error_of([&] { OutputFile file(directory / "a"); }).find("too many levels of symbolic links") !=
        std::string::npos);
  CHECK(error_of([&] { OutputFile file(directory.path()); }).find("is a directory") != std::string::npos);
  CHECK(error_of([&] { OutputFile file(directory / "none/f"); }).find("No such file") != std::string::npos);
  CHECK(!error_of([&] { OutputFile file(""); }).empty());
}

TEST_CASE("A pipe is written to and stays a pipe") {
  const TemporaryDirectory directory;
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  std::string got;
  std::jthread reader([&] { got = read_file(directory / "pipe"); });
  write_output(directory / "pipe", "through");
  reader.join();
  CHECK(got == "through");
  CHECK(std::filesystem::is_fifo(directory / "pipe"));
}

TEST_CASE("Waiting for the reader of a pipe can be given up") {
  const TemporaryDirectory directory;
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(OutputFile(directory / "pipe", stop.get_token()), Cancelled);
}

TEST_CASE("A socket is connected to") {
  const TemporaryDirectory directory;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  (directory / "s").copy(address.sun_path, sizeof address.sun_path - 1);
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(server.get(), 1) == 0);
  write_output(directory / "s", "to a socket");
  const Fd client(::accept(server.get(), nullptr, nullptr));
  CHECK(read_all(client.get()) == "to a socket");
}

TEST_CASE("A name of a descriptor means the descriptor, over a symlink too") {
  const TemporaryDirectory directory;
  const Fd file = open_file(directory / "f", O_RDWR | O_CREAT);
  write_all(file.get(), "before ");
  const int given = ::dup(file.get());  // as one that the program was started with
  write_output("/proc/self/fd/" + std::to_string(given), "one ");
  write_output("/dev/fd/" + std::to_string(given), "two ");
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(given), directory / "link");
  write_output(directory / "link", "three");
  ::close(given);
  CHECK(read_file(directory / "f") == "before one two three");
  CHECK(entries_of(directory.path()) == 2);
}

TEST_CASE("Descriptors of the program's own are nobody's") {
  const TemporaryDirectory directory;
  const Fd own = open_file(directory / "index", O_RDWR | O_CREAT);
  const auto name = "/dev/fd/" + std::to_string(own.get());
  CHECK(error_of([&] { OutputFile file(name); }).find("is not open") != std::string::npos);
  CHECK(error_of([&] { OutputFile file("/dev/fd/9999"); }).find("is not open") != std::string::npos);
}

TEST_CASE("What is open for reading only can't be written to") {
  const TemporaryDirectory directory;
  write_output(directory / "f", "");
  const int given = ::open((directory / "f").c_str(), O_RDONLY);  // NOLINT
  const auto name = "/dev/fd/" + std::to_string(given);
  CHECK(error_of([&] { OutputFile file(name); }).find("not open for writing") != std::string::npos);
  ::close(given);
}
