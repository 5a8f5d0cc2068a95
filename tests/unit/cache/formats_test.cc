#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/strings.h"
#include "cache/database.h"
#include "cache/store.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::TemporaryDirectory;

namespace {

using Tables = std::map<std::string, std::string>;  // by name: the columns, as "a, b, c"

Tables tables_of_a_new_index() {
  const TemporaryDirectory directory;
  const Store store(directory / "store", "map");
  Database database(directory / "store/index.db");
  Statement columns(database,
                    "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' "
                    "ORDER BY m.name, c.cid");
  Tables out;
  while (columns.step()) {
    auto& list = out[std::string(columns.text(0))];
    list += (list.empty() ? "" : ", ") + std::string(columns.text(1));
  }
  return out;
}

// The rows of the table below the heading "The index" in docs/formats.md.
Tables documented_tables() {
  Tables out;
  bool here = false;
  for (const auto& line : split(read_file("docs/formats.md"), '\n')) {
    if (line.starts_with("#")) here = line == "### The index";
    const auto cells = split(line, '|');
    if (!here || cells.size() < 5 || cells[1] == " table " || cells[1] == "---") continue;
    out[std::string(trim(cells[1]))] = trim(cells[2]);
  }
  return out;
}

}  // namespace

TEST_CASE("docs/formats.md has the tables and columns of the index") {
  CHECK(documented_tables() == tables_of_a_new_index());
}
