#include "executor/full_disk.h"

#include <cerrno>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_gigabyte = 1000ull * 1000 * 1000;

std::string advice_for(int code, const FileSystemSpace& left) {
  const test::FileTree store;
  auto error = system_error(code, "write layer");
  explain_full_disk(error, left, store.host_path(""));
  return error.advice;
}

}  // namespace

TEST_CASE("a quota that is used up is a full disk of another kind") {
  const test::FileTree store;
  const auto error = system_error(EDQUOT, "write layer");
  CHECK(is_out_of_space(error));
  CHECK(error.exit_class == ExitClass::store);
  CHECK_THAT(error.what(), Catch::Contains("quota"));
  CHECK(full_disk_at(error, store.host_path("")));
  CHECK_FALSE(full_disk_at(system_error(EINVAL, "write layer", ExitClass::host), store.host_path("")));
}

TEST_CASE("what is said of a full disk fits what is left of it") {
  for (const int code : {EDQUOT, ENOSPC}) {
    const auto roomy = advice_for(code, {.size = 100 * k_gigabyte, .free = 50 * k_gigabyte});
    CHECK_THAT(roomy, Catch::Contains("50GB left of 100GB") && Catch::Contains("or a quota"));
    const auto full = advice_for(code, {.size = 100 * k_gigabyte, .free = 0});
    CHECK_THAT(full, Catch::Contains("0B left of 100GB") && Catch::Contains("--root DIR"));
    CHECK_THAT(full, !Catch::Contains("quota"));
  }
}

}  // namespace mbuild::executor
