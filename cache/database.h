#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace mbuild::cache {

// One SQLite connection, used by many threads of one process one at a time. It must be opened after any fork.
class Database {
 public:
  // Opens or creates the file in WAL mode. Throws Error (store); a file that is no database has code `corrupt`.
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  // PRAGMA quick_check; false when the file is damaged.
  bool intact();
  std::recursive_mutex& mutex() { return mutex_; }
  sqlite3* handle() { return handle_; }

  // A compiled statement that nobody uses at the moment, and its way back; the caller holds the lock.
  sqlite3_stmt* borrow(const std::string& sql);
  void give_back(const std::string& sql, sqlite3_stmt* statement);

 private:
  sqlite3* handle_ = nullptr;
  std::recursive_mutex mutex_;
  std::unordered_map<std::string, sqlite3_stmt*> idle_;  // by text: compiling costs more than most look-ups
};

// A prepared statement for one use: bind in order, then step. Holds the connection's lock while it lives.
class Statement {
 public:
  Statement(Database& database, const char* sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::string_view value);
  Statement& bind(std::int64_t value);
  Statement& bind_null();
  // True while there is a row.
  bool step();
  void run() { step(); }
  // Does what is left of a statement that changes rows and returns one.
  void finish() {
    while (step()) {
    }
  }

  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;

 private:
  Database& database_;
  std::unique_lock<std::recursive_mutex> lock_;
  std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
};

// BEGIN IMMEDIATE ... COMMIT; rolled back when it ends without commit(). One for reading only spares many questions the
// locks of each, and lets others write.
class Transaction {
 public:
  enum class Kind { writing, reading };
  explicit Transaction(Database& database, Kind kind = Kind::writing);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  std::unique_lock<std::recursive_mutex> lock_;
  bool open_ = true;
};

}  // namespace mbuild::cache
