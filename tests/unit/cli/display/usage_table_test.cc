#include "cli/display/usage_table.h"

#include "base/clock.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::testing::error_of;

namespace {

cache::StoreItem sample() {
  cache::StoreItem item;
  item.id = "abc";
  item.type = "regular";
  item.description = "RUN make";
  item.bytes = 1234567;
  item.used = unix_seconds() - 7200;
  item.parents = {"p"};
  return item;
}

bool passes(const std::string& filter) { return parse_item_filters({filter})(sample()); }

}  // namespace

TEST_CASE("Filters compare fields for equality, difference or a pattern") {
  CHECK(passes("type=regular"));
  CHECK(passes("type==regular"));
  CHECK_FALSE(passes("type!=regular"));
  CHECK(passes("id~=^ab"));
  CHECK_FALSE(passes("id~=^b"));
  CHECK(passes("parents=p"));
  CHECK(passes("private"));
  CHECK_FALSE(passes("inuse"));
  CHECK(passes("mutable!=true"));
}

TEST_CASE("All filters have to hold") {
  CHECK(parse_item_filters({"type=regular", "id=abc"})(sample()));
  CHECK_FALSE(parse_item_filters({"type=regular,id=x"})(sample()));
  CHECK_FALSE(parse_item_filters({}));
}

TEST_CASE("until chooses what was not used for so long") {
  CHECK(passes("until=1h"));
  CHECK_FALSE(passes("until=3h"));
  CHECK(passes("unused-for=1h30m"));
}

TEST_CASE("A filter that says nothing sensible is a usage error") {
  CHECK(error_of([] { parse_item_filters({"tipe=x"}); }) == "2 invalid filter \"tipe=x\" (did you mean type?)");
  CHECK(error_of([] { parse_item_filters({"until=soon"}); }) == "2 invalid duration \"soon\"");
  CHECK(error_of([] { parse_item_filters({"id~=("}); }).starts_with("2 invalid filter \"id~=(\""));
}

TEST_CASE("Durations are sums of numbers with units") {
  CHECK(parse_duration("90s") == 90);
  CHECK(parse_duration("1h30m") == 5400);
  CHECK(parse_duration("1.5d") == 129600);
  CHECK(parse_duration("1500ms") == 1);
  CHECK(error_of([] { parse_duration("5"); }) == "2 invalid duration \"5\"");
  CHECK(error_of([] { parse_duration(""); }) == "2 invalid duration \"\"");
}

TEST_CASE("Ages are for readers") {
  CHECK(age_text(100, 100) == "now");
  CHECK(age_text(100, 160) == "1 minute ago");
  CHECK(age_text(100, 100 + 3 * 86400) == "3 days ago");
}

TEST_CASE("Formats: a template takes fields of the JSON") {
  CHECK(items_text({sample()}, "{{.ID}} {{ .Size }}!") == "abc 1234567!\n");
  CHECK(items_text({sample()}, "json").starts_with("{\"ID\":\"abc\",\"Parents\":[\"p\"]"));
  CHECK(error_of([] { items_text({sample()}, "{{.Nonsense}}"); }) == "2 invalid format \"{{.Nonsense}}\"");
}
