#include "cache/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::cache {
namespace {

constexpr int k_busy_timeout_ms = 20'000;

bool is_space(int code) { return code == ENOSPC || code == EDQUOT; }

// Whether one of the index's names stands for what no file of ours can be. (What SQLite says of the system call that
// failed may be of another one.)
bool is_of_another_kind(const std::string& path) {
  for (const char* part : {"", "-wal", "-shm"}) {
    struct stat status;
    if (::lstat((path + part).c_str(), &status) == 0 && !S_ISREG(status.st_mode)) return true;
  }
  return false;
}

bool has_no_space_around(const std::string& path) {
  constexpr std::uint64_t k_page = 4096;
  struct statvfs status;
  return ::statvfs(path.c_str(), &status) == 0 && status.f_bavail * status.f_frsize < k_page;
}

bool tells_damage(int code, int system_code, const std::string& path) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_ERROR:  // our statements are right: a table or a column is missing
      return true;
    case SQLITE_READONLY:  // its memory can't be what it should be, or the file is no longer the one of this name
      return system_code != EROFS;
    case SQLITE_CANTOPEN:
      return is_of_another_kind(path);
    default:
      return code == SQLITE_IOERR_CORRUPTFS;
  }
}

}  // namespace

Database::Database(const std::string& path, Sharing sharing) : path_(path) {
  {
    // SQLite would let the umask decide; its log and shared memory follow this. What fails here fails there, too.
    const Fd file(path == k_in_memory ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat status;
    if (::stat(path.c_str(), &status) == 0) inode_ = status.st_ino;
  }
  const int opened = sqlite3_open_v2(path.c_str(), &handle_,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  try {
    if (opened != SQLITE_OK) fail("open " + path);
    sqlite3_busy_timeout(handle_, k_busy_timeout_ms);
    // Before anything is read, since that would take shared memory.
    if (sharing == Sharing::alone) execute("PRAGMA locking_mode=EXCLUSIVE");
    // No fsync on the hot path: rows that a power cut may take are marked as such (see store.h).
    execute("PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY");
    if (sharing == Sharing::shared) {
      execute("PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=0");
      // The log and the shared memory stay, empty: to make and remove both is a tenth of a build that finds all cached.
      int stay = 1;
      sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &stay);
    } else {
      // What the log holds may have no room in the file: then the log stays.
      sqlite3_exec(handle_, "PRAGMA journal_mode=MEMORY", nullptr, nullptr, nullptr);
    }
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

void Database::fail(std::string_view what) {
  const int code = sqlite3_extended_errcode(handle_), system_code = sqlite3_system_errno(handle_);
  Error error(ExitClass::store, fmt::format("{}: {}", what, sqlite3_errmsg(handle_)));
  if (tells_damage(code, system_code, path_)) {
    found_damage_ = true;
    throw IndexDamaged(std::move(error), inode_);
  }
  const bool is_io = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
  if ((code & 0xff) == SQLITE_FULL || (is_io && (is_space(system_code) || has_no_space_around(path_)))) {
    error.code = ENOSPC;
    error.advice = "The disk of the store is full, or a quota of it is: `mbuild prune` frees space, and needs none.";
  }
  throw error;
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
  if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) fail("index.db");
  return statement;
}

void Database::give_back(const std::string& sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!idle_.emplace(sql, statement).second) sqlite3_finalize(statement);
}

void Database::execute(const char* sql) {
  const std::lock_guard lock(mutex_);
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("index.db");
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

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  database_.fail("index.db");
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
