#include "base/partial_file.h"

#include <filesystem>

#include "tests/catch.h"
#include "tests/temporary.h"

namespace mbuild::partial_file_test {

using testing::error_of;
using testing::TemporaryDirectory;

std::size_t files_in(const TemporaryDirectory& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory / "")) ++count;
  return count;
}

TEST_CASE("A partial file gets its name when it is complete, in the place of what had it") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "old");
  PartialFile file(directory / "f", 0640);
  write_all(file.fd(), "new");
  CHECK(read_file(directory / "f") == "old");
  file.commit();
  CHECK(read_file(directory / "f") == "new");
  CHECK(files_in(directory) == 1);
}

TEST_CASE("Of a partial file that is given up nothing stays") {
  const TemporaryDirectory directory;
  {
    write_all(PartialFile(directory / "f").fd(), "x");
  }
  CHECK(files_in(directory) == 0);
}

TEST_CASE("A partial file has a name that tells what it is, and may start again") {
  const TemporaryDirectory directory;
  PartialFile file(directory / "f");
  for (const auto& entry : std::filesystem::directory_iterator(directory / "")) {
    CHECK(entry.path().filename().string().starts_with("f."));
    CHECK(entry.path().extension() == ".partial");
  }
  write_all(file.fd(), "much text");
  file.start_again();
  write_all(file.fd(), "less");
  file.commit();
  CHECK(read_file(directory / "f") == "less");
}

TEST_CASE("A partial file that can't have its name is an error of the store, and goes") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "taken");
  CHECK(error_of([&] { PartialFile(directory / "taken").commit(); }).starts_with("4 rename to "));
  CHECK(files_in(directory) == 1);
}

}  // namespace mbuild::partial_file_test
