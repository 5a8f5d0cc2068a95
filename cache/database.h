#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mbuild::cache {

// The index can't be what was written: it is to be set aside. `inode` is that of the file that was opened, so that one
// that has taken its place stays.
class IndexDamaged : public Error {
 public:
  explicit IndexDamaged(Error error, std::uint64_t inode) : Error(std::move(error)), inode(inode) {}
  std::uint64_t inode = 0;
};

inline constexpr const char* k_in_memory = ":memory:";  // a path: of no file, and gone with the connection

// One SQLite connection, used by many threads of one process one at a time. It must be opened after any fork. What it
// and its statements throw is an Error (store): IndexDamaged, one for which is_out_of_space() is true, or another.
class Database {
 public:
  // `alone`: it needs no room on the disk beside the file, neither for memory that processes share nor, as long as
  // nothing is added, for a log; all others are kept out while it is open.
  enum class Sharing { shared, alone };

  // Opens or creates the file, in WAL mode if it is shared.
  explicit Database(const std::string& path, Sharing sharing = Sharing::shared);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  // PRAGMA quick_check; false when the file is damaged.
  bool intact();
  // True when something was found to be damaged, be it that the error was heard of or not.
  bool found_damage() const { return found_damage_; }
  std::uint64_t inode() const { return inode_; }
  // Throws what the last call of SQLite has failed with.
  [[noreturn]] void fail(std::string_view what);
  std::recursive_mutex& mutex() { return mutex_; }
  sqlite3* handle() { return handle_; }

  // A compiled statement that nobody uses at the moment, and its way back; the caller holds the lock.
  sqlite3_stmt* borrow(const std::string& sql);
  void give_back(const std::string& sql, sqlite3_stmt* statement);

 private:
  sqlite3* handle_ = nullptr;
  std::string path_;
  std::uint64_t inode_ = 0;
  std::atomic<bool> found_damage_ = false;
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
