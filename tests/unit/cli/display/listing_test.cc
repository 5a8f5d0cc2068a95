#include "cli/display/listing.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/catch.h"

namespace mbuild::cli {
namespace {

const Listing k_things{.fields = {{"ID", "THING ID"}, {"Name", "NAME"}, {"Label", ""}},
                       .table = "table {{.ID}}\t{{.Name}}",
                       .quiet = "ID"};

std::string listed(const std::string& format, bool quiet = false) {
  const std::vector<nlohmann::ordered_json> rows = {
      {{"ID", "1"}, {"Name", "one"}, {"Label", {{"a", "b"}}}},
      {{"ID", "a long one"}, {"Name", "t\nwo"}, {"Label", nlohmann::ordered_json::object()}}};
  return listing_text(k_things, rows, {.format = format, .quiet = quiet});
}

}  // namespace

TEST_CASE("a table has columns of ten characters at least, and nothing of a row breaks it", "[listing]") {
  const char* k_table_text =
      "THING ID     NAME\n"
      "1            one\n"
      "a long one   t wo\n";
  CHECK(listed("") == k_table_text);
  CHECK(listed("table") == k_table_text);
  CHECK(listed("table {{.Name}}\\t{{upper .Name}}") == "NAME      NAME\none       ONE\nt wo      T WO\n");
}

TEST_CASE("a listing is also ids, JSON and templates", "[listing]") {
  CHECK(listed("", true) == "1\na long one\n");
  CHECK(listed("json") == "{\"ID\":\"1\",\"Name\":\"one\"}\n{\"ID\":\"a long one\",\"Name\":\"t\\nwo\"}\n");
  CHECK(listed("{{.ID}}\\t{{.Label \"a\"}}") == "1\tb\na long one\t\n");
  CHECK(listed("table {{.Label \"a\"}}") == "\nb\n\n");
  CHECK_THROWS_AS(listed("{{.Nothing}}"), Error);
  CHECK_THROWS_AS(listing_text(k_things, {}, {.format = "{{.ID"}), Error);
}

}  // namespace mbuild::cli
