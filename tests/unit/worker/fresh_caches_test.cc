#include "worker/fresh_caches.h"

#include <stdexcept>

#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

struct Replaced {
  std::vector<std::string> names;
  FreshCaches caches{
      [this](const std::string& name, const std::string& fresh) { names.push_back(name + "=" + fresh); }};
};

}  // namespace

TEST_CASE("Steps share a fresh cache mount, which replaces the old one when the last of them has ended") {
  Replaced replaced;
  FreshCaches::User one, two;
  CHECK(replaced.caches.use(one, "go", "/1") == "/1");
  CHECK(replaced.caches.use(two, "go", "/2") == "/1");
  one.succeed();
  CHECK(replaced.names.empty());
  two.succeed();
  CHECK(replaced.names == std::vector<std::string>{"go=/1"});
}

TEST_CASE("A fresh cache mount that was replaced is like any other") {
  Replaced replaced;
  FreshCaches::User one, two;
  replaced.caches.use(one, "go", "/1");
  one.succeed();
  CHECK(replaced.caches.use(two, "go", "/2").empty());
  two.succeed();
  CHECK(replaced.names == std::vector<std::string>{"go=/1"});
}

TEST_CASE("A fresh cache mount of failed steps replaces nothing, until one ends well") {
  Replaced replaced;
  {
    FreshCaches::User failed;
    replaced.caches.use(failed, "go", "/1");
  }
  CHECK(replaced.names.empty());
  FreshCaches::User next;
  CHECK(replaced.caches.use(next, "go", "/2") == "/1");
  next.succeed();
  CHECK(replaced.names == std::vector<std::string>{"go=/1"});
}

TEST_CASE("A fresh cache mount that can't be put in place fails the step that ended well, and no failed one") {
  FreshCaches caches([](const std::string&, const std::string&) { throw std::runtime_error("full"); });
  FreshCaches::User well;
  caches.use(well, "go", "/1");
  CHECK_THROWS_AS(well.succeed(), std::runtime_error);
  FreshCaches::User first;
  {
    FreshCaches::User failed;
    caches.use(first, "npm", "/2");
    caches.use(failed, "npm", "/2");
    first.succeed();
  }
  SUCCEED("the failed step told nothing");
}
