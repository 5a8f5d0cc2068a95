#include "containers/log.h"

#include <vector>

#include "tests/catch.h"
#include "tests/temporary.h"

namespace mbuild::containers {

TEST_CASE("a log has lines of two streams, whole and in their order", "[containers]") {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/log";
  {
    LogWriter log(path);
    log.write(1, "one\ntw");
    log.write(2, "error\n");
    log.write(1, "o\n\xff open");
    log.finish();
  }
  std::vector<std::pair<int, std::string>> got;
  const auto give = [&](const LogEntry& entry) { got.emplace_back(entry.stream, entry.text); };
  read_log(path, {.tail = {}, .since = {}}, give, [] { return true; });
  CHECK(got ==
        std::vector<std::pair<int, std::string>>{{1, "one\n"}, {2, "error\n"}, {1, "two\n"}, {1, "\xef\xbf\xbd open"}});
  got.clear();
  read_log(path, {.tail = 1, .since = {}, .follow = true}, give, [] { return true; });
  CHECK(got.size() == 1);
  got.clear();
  read_log(path, {.tail = {}, .since = "9999"}, give, [] { return true; });
  CHECK(got.empty());
}

TEST_CASE("lines that are none are left out", "[containers]") {
  CHECK(!parse_log_line("no JSON"));
  CHECK(!parse_log_line("[]"));
  CHECK(parse_log_line(R"({"log":1,"stream":"stderr"})")->stream == 2);
}

}  // namespace mbuild::containers
