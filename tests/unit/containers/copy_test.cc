#include "containers/copy.h"

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::containers {

TEST_CASE("a file is copied to where the target says", "[containers]") {
  const CopySource file{"/a/file", false};
  CHECK(plan_copy(file, {"/t/new", false, false}) == CopyPlan{"/t", "new"});
  CHECK(plan_copy(file, {"/t/old", true, false}) == CopyPlan{"/t", "old"});
  CHECK(plan_copy(file, {"/t", true, true}) == CopyPlan{"/t", "file"});
  CHECK(plan_copy(file, {"/", true, true}) == CopyPlan{"/", "file"});
  CHECK_THROWS_AS(plan_copy(file, {"/t/new/", false, false}), Error);
  CHECK_THROWS_AS(plan_copy(file, {"/t/old/", true, false}), Error);
  CHECK_THROWS_AS(plan_copy({"/a/file/", false}, {"/t", true, true}), Error);
}

TEST_CASE("a directory is copied into one that is there, and as one that is not", "[containers]") {
  const CopySource directory{"/a/dir", true};
  CHECK(plan_copy(directory, {"/t/new", false, false}) == CopyPlan{"/t", "new"});
  CHECK(plan_copy(directory, {"/t/new/", false, false}) == CopyPlan{"/t", "new"});
  CHECK(plan_copy(directory, {"/t", true, true}) == CopyPlan{"/t", "dir"});
  CHECK(plan_copy({"/a/dir/.", true}, {"/t", true, true}) == CopyPlan{"/t", ""});
  CHECK(plan_copy({"/a/dir/.", true}, {"/t/new", false, false}) == CopyPlan{"/t", "new"});
  CHECK(plan_copy({"/", true}, {"/t", true, true}) == CopyPlan{"/t", ""});
  CHECK_THROWS_AS(plan_copy(directory, {"/t/old", true, false}), Error);
}

}  // namespace mbuild::containers
