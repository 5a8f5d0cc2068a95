#include "cache/database.h"

#include <thread>
#include <vector>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

std::int64_t rows(Database& database) {
  Statement query(database, "SELECT count(*) FROM t");
  query.step();
  return query.number(0);
}

struct Table {
  TemporaryDirectory directory;
  Database database{directory / "index.db"};
  Table() { database.execute("CREATE TABLE t(a, b)"); }
};

}  // namespace

TEST_CASE("Bound values come back as they were, any bytes of text included") {
  Table table;
  const std::string bytes("a\0b\xff", 4);
  Statement(table.database, "INSERT INTO t VALUES(?,?)").bind(bytes).bind(std::int64_t{-5}).run();
  Statement(table.database, "INSERT INTO t VALUES(NULL,?)").bind("").run();
  Statement query(table.database, "SELECT a,b FROM t ORDER BY rowid");
  REQUIRE(query.step());
  CHECK(query.text(0) == bytes);
  CHECK(query.number(1) == -5);
  REQUIRE(query.step());
  CHECK(query.is_null(0));
  CHECK_FALSE(query.is_null(1));
  CHECK(query.text(1).empty());
  CHECK_FALSE(query.step());
}

TEST_CASE("Rows are there when the file is opened again") {
  const TemporaryDirectory directory;
  {
    Database database(directory / "index.db");
    database.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
  }
  Database database(directory / "index.db");
  CHECK(rows(database) == 1);
  CHECK(database.intact());
}

TEST_CASE("A transaction that is not committed leaves no rows") {
  Table table;
  {
    const Transaction transaction(table.database);
    table.database.execute("INSERT INTO t VALUES(1,1)");
  }
  CHECK(rows(table.database) == 0);
}

TEST_CASE("A committed transaction keeps its rows") {
  Table table;
  {
    Transaction transaction(table.database);
    table.database.execute("INSERT INTO t VALUES(1,1)");
    transaction.commit();
  }
  CHECK(rows(table.database) == 1);
}

TEST_CASE("A second connection waits for a transaction of the first") {
  Table table;
  Database other(table.directory / "index.db");
  std::jthread writer;
  {
    Transaction transaction(table.database);
    table.database.execute("INSERT INTO t VALUES(1,1)");
    writer = std::jthread([&] { other.execute("INSERT INTO t VALUES(2,2)"); });
    transaction.commit();
  }
  writer.join();
  CHECK(rows(table.database) == 2);
}

TEST_CASE("Many threads may use one connection") {
  Table table;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < 50; ++i) {
          Statement(table.database, "INSERT INTO t VALUES(?,?)").bind(i).bind(i).run();
        }
      });
    }
  }
  CHECK(rows(table.database) == 200);
}

TEST_CASE("A statement that SQLite does not take is a store error") {
  Table table;
  CHECK(error_of([&] { table.database.execute("SELEKT"); }).starts_with("4 index.db: "));
  CHECK(error_of([&] { Statement(table.database, "SELECT x FROM nowhere"); }).starts_with("4 index.db: "));
}

TEST_CASE("A file that is no database is a store error") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "index.db", std::string(8192, 'x'));
  CHECK(error_of([&] { Database(directory / "index.db"); }).find("not a database") != std::string::npos);
}

TEST_CASE("A directory that is not there is a store error that names the file") {
  CHECK(error_of([] { Database("/nonexistent/index.db"); }).starts_with("4 open /nonexistent/index.db: "));
}
