#include "cache/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/error.h"

namespace mbuild::cache {
namespace {

constexpr int k_busy_timeout_ms = 20'000;

Error failure(sqlite3* handle, std::string_view what) {
  const int code = sqlite3_extended_errcode(handle);
  Error error(ExitClass::store, fmt::format("{}: {}", what, sqlite3_errmsg(handle)));
  if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_IOERR) {
    return std::move(error).with_advice("Is the file system of the store full? `mbuild prune` frees space.");
  }
  return error;
}

}  // namespace

Database::Database(const std::string& path) {
  if (sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      nullptr) != SQLITE_OK) {
    Error error = failure(handle_, "open " + path);
    sqlite3_close(handle_);
    throw error;
  }
  sqlite3_busy_timeout(handle_, k_busy_timeout_ms);
  try {
    // No fsync on the hot path: rows that a power cut may take are marked as such (see store.h).
    execute("PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY");
    execute("PRAGMA journal_mode=WAL");
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

sqlite3_stmt* Database::borrow(const std::string& sql) {
  if (const auto found = idle_.find(sql); found != idle_.end()) {
    sqlite3_stmt* statement = found->second;
    idle_.erase(found);
    return statement;
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
    throw failure(handle_, "index.db");
  return statement;
}

void Database::give_back(const std::string& sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!idle_.emplace(sql, statement).second) sqlite3_finalize(statement);
}

void Database::execute(const char* sql) {
  const std::lock_guard lock(mutex_);
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) throw failure(handle_, "index.db");
}

bool Database::intact() {
  try {
    Statement check(*this, "PRAGMA quick_check(1)");
    return check.step() && check.text(0) == "ok";
  } catch (const Error&) {
    return false;
  }
}

Statement::Statement(Database& database, const char* sql)
    : database_(database), lock_(database.mutex()), sql_(sql), statement_(database.borrow(sql_)) {}

Statement::~Statement() { database_.give_back(sql_, statement_); }

Statement& Statement::bind(std::string_view value) {
  sqlite3_bind_text(statement_, next_++, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  sqlite3_bind_int64(statement_, next_++, value);
  return *this;
}

Statement& Statement::bind_null() {
  sqlite3_bind_null(statement_, next_++);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw failure(database_.handle(), "index.db");
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? std::string()
                         : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Transaction::Transaction(Database& database, Kind kind) : database_(database), lock_(database.mutex()) {
  database_.execute(kind == Kind::writing ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {
    // The connection already rolled back by itself.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace mbuild::cache
