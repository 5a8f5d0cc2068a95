#include "containers/shelf.h"

#include <unistd.h>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

namespace mbuild::containers {
namespace {

Record record(const std::string& id, const std::string& name) {
  Record out;
  out.id = id;
  out.name = name;
  out.options.image = "app";
  out.options.ports = {{"", 1, 2, true}};
  out.created = 100;
  return out;
}

}  // namespace

TEST_CASE("a container is found by its name, its id and what its id begins with", "[containers]") {
  const testing::TemporaryDirectory directory;
  Shelf shelf(directory.path());
  shelf.add(record("aa11", "one"));
  shelf.add(record("aa22", "two"));
  CHECK(shelf.find("one").record.id == "aa11");
  CHECK(shelf.find("aa22").record.name == "two");
  CHECK(shelf.find("aa2").record.options.ports == std::vector<Port>{{"", 1, 2, true}});
  CHECK_THROWS_AS(shelf.find("aa"), Error);
  CHECK_THROWS_AS(shelf.find("three"), Error);
  CHECK_THROWS_AS(shelf.find("../names/one"), Error);
  CHECK(shelf.list().size() == 2);
}

TEST_CASE("a name is one container's until that is taken away", "[containers]") {
  const testing::TemporaryDirectory directory;
  Shelf shelf(directory.path());
  const auto one = shelf.add(record("aa11", "one"));
  CHECK_THROWS_AS(shelf.add(record("aa22", "one")), Error);
  CHECK(shelf.list().size() == 1);
  shelf.take_away(one);
  CHECK(shelf.list().empty());
  CHECK(shelf.taken_away().size() == 1);
  shelf.add(record("aa22", "one"));
  CHECK(shelf.find("one").record.id == "aa22");
}

TEST_CASE("what a container does is told by its lock, not by what was written", "[containers]") {
  const testing::TemporaryDirectory directory;
  Shelf shelf(directory.path());
  const auto one = shelf.add(record("aa11", "one"));
  CHECK(shelf.find("one").state == State::created);
  {
    const auto lock = hold(one);
    REQUIRE(lock);
    CHECK(shelf.find("one").state == State::created);
    write_running(one, {.process = 1, .start_time = 2, .started = 3, .image = "app@x"});
    CHECK(shelf.find("one").state == State::running);
    CHECK(shelf.find("one").running->start_time == 2);
  }
  CHECK(shelf.find("one").state == State::dead);
  write_ended(one, {.status = 4, .finished = 50});
  CHECK(shelf.find("one").state == State::exited);
  CHECK(status_text(shelf.find("one"), 110) == "Exited (4) About a minute ago");
}

TEST_CASE("names are words, and the start of a process tells it from others", "[containers]") {
  CHECK_NOTHROW(check_name("a1"));
  CHECK_NOTHROW(check_name("a.b-c_d"));
  for (const char* wrong : {"", "a", "-a", "a/b", "..", "a b"}) CHECK_THROWS_AS(check_name(wrong), Error);
  CHECK_NOTHROW(check_name(some_name(new_id())));
  CHECK(start_time_of(::getpid()).value_or(0) > 0);
  CHECK(!start_time_of(0));
}

}  // namespace mbuild::containers
