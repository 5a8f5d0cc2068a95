#include "base/mapped_file.h"

#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("A mapped file shows the bytes of the file, after it was closed and after it was moved") {
  MappedFile file;
  CHECK(file.bytes().empty());
  file = MappedFile(memory_file("some bytes").get(), "a file");
  CHECK(file.bytes() == "some bytes");
  const MappedFile moved = std::move(file);
  CHECK(moved.bytes() == "some bytes");
}

TEST_CASE("An empty file has no bytes") { CHECK(MappedFile(memory_file("").get(), "a file").bytes().empty()); }

TEST_CASE("What can't be mapped is named") {
  try {
    MappedFile(-1, "the thing");
    FAIL("mapped");
  } catch (const Error& error) {
    CHECK(error.message.find("the thing") != std::string::npos);
  }
}
