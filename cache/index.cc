#include "cache/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "cache/store_directory.h"

// Crash safety, in short. A thing (layer directory, blob) gets its final name by rename when it is complete; its row
// comes after. So a row without its thing is a miss, and a thing without a row is garbage. Nothing is synced while a
// build runs: every row carries the boot id of the run that added it until a later syncfs cleared it, and rows of an
// earlier boot that were never cleared are dropped when the store is opened. So are blobs that are newer than the last
// syncfs: they are used by their names alone.
namespace mbuild::cache {
namespace {

// Of the index, kept in user_version. An older one gets the tables that it lacks; those whose columns have changed, and
// that cost little to fill again, are dropped first.
constexpr int k_index_format = 6;
constexpr const char* k_drop_changed =
    "DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS steps; DROP TABLE IF EXISTS audits;";
// What an audit found in a base's layer is found again only when that is unpacked again.
constexpr const char* k_forget_audited_bases = "DELETE FROM layers WHERE pulled AND id IN (SELECT layer FROM audits)";
constexpr int k_old_findings_format = 5;

constexpr const char* k_schema = R"sql(
CREATE TABLE IF NOT EXISTS layers(id TEXT PRIMARY KEY, result TEXT NOT NULL, pulled INTEGER NOT NULL, bytes INTEGER NOT NULL,
  files INTEGER NOT NULL, newest INTEGER NOT NULL, implied TEXT NOT NULL, used INTEGER NOT NULL, boot TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS layers_by_result ON layers(result);
CREATE TABLE IF NOT EXISTS records(content_key TEXT PRIMARY KEY, layers TEXT NOT NULL, created INTEGER NOT NULL,
  duration INTEGER NOT NULL, emulator TEXT NOT NULL, name TEXT NOT NULL, used INTEGER NOT NULL, boot TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS definitions(definition_key TEXT NOT NULL, inputs TEXT NOT NULL, content_key TEXT NOT NULL, boot TEXT,
  PRIMARY KEY(definition_key, inputs)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS serialisations(layer TEXT NOT NULL, compression TEXT NOT NULL, level INTEGER NOT NULL, clamp TEXT NOT NULL,
  diff_id TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, boot TEXT,
  PRIMARY KEY(layer, compression, level, clamp)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(device INTEGER NOT NULL, chunk INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY(device, chunk)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS durations(step TEXT PRIMARY KEY, milliseconds INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audits(layer TEXT NOT NULL, platform TEXT NOT NULL, findings BLOB NOT NULL, PRIMARY KEY(layer, platform)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS downloads(url TEXT PRIMARY KEY, etag TEXT NOT NULL, modified TEXT NOT NULL, mtime INTEGER NOT NULL,
  digest TEXT NOT NULL, layer TEXT NOT NULL, boot TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen_steps(build TEXT NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL, used INTEGER NOT NULL,
  inputs BLOB NOT NULL, PRIMARY KEY(build, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partial_keys(key TEXT PRIMARY KEY, added INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs(digest TEXT PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mounts(name TEXT PRIMARY KEY, id TEXT NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images(name TEXT PRIMARY KEY, media_type TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
  platforms TEXT NOT NULL, created INTEGER NOT NULL, bytes INTEGER NOT NULL, boot TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image_blobs(image TEXT NOT NULL, blob TEXT NOT NULL, boot TEXT, PRIMARY KEY(image, blob)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)sql";

constexpr const char* k_tables_with_boot[] = {"layers",    "records", "definitions", "serialisations",
                                              "downloads", "images",  "image_blobs"};

// 0 in a database that is new.
std::int64_t schema_version(Database& database) {
  Statement query(database, "PRAGMA user_version");
  return query.step() ? query.number(0) : 0;
}

// When the last syncfs began whose rows were marked as durable, in nanoseconds since 1970; 0 before the first.
std::int64_t durable_until(Database& database) {
  Statement query(database, "SELECT value FROM meta WHERE name='synced'");
  return query.step() ? query.number(0) : 0;
}

// By the clock that gives files their times, once it has ticked: later than the time of what has changed so far, and
// not later than that of what changes from now on. Nanoseconds since 1970.
std::int64_t next_file_time() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  timespec now;
  if (::clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0) throw system_error(errno, "clock_gettime");
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::string boot_of_last_use(Database& database) {
  Statement query(database, "SELECT value FROM meta WHERE name='boot'");
  return query.step() ? query.text(0) : std::string();
}

void set_aside(const std::string& index) {
  const std::string aside = name_aside(index);
  for (const char* part : {"", "-wal", "-shm"}) ::rename((index + part).c_str(), (aside + part).c_str());
}

}  // namespace

void Store::open_index(Purpose purpose) {
  const std::string path = root_ + "/index.db";
  const auto setting_up = FileLock::acquire(root_ + "/locks/open");
  for (const char* file : {"", "-wal", "-shm"}) make_file_private(path + file);
  try {
    connect(path, Database::Sharing::shared);
    bring_up_to_date();
  } catch (const IndexDamaged&) {
    database_.reset();
    set_aside(path);
    connect(path, Database::Sharing::shared);
    bring_up_to_date();
  } catch (const Error& error) {
    if (purpose == Purpose::building || !is_out_of_space(error)) throw;
    connect_without_space(path);
  }
}

void Store::connect(const std::string& path, Database::Sharing sharing) {
  database_ = std::make_unique<Database>(path, sharing);
  // A power cut is what damages an index, so all of it is checked once a boot.
  if (schema_version(*database_) == 0 || boot_of_last_use(*database_) == boot_id_ || database_->intact()) return;
  throw IndexDamaged(Error(ExitClass::store, "index.db does not pass its check"), database_->inode());
}

// On a full disk. An index to which nothing was ever written stands for nothing.
void Store::connect_without_space(const std::string& path) {
  database_.reset();
  std::error_code none;
  if (std::filesystem::file_size(path, none) > 0 && !none) connect(path, Database::Sharing::alone);
  if (!database_ || schema_version(*database_) == 0) connect(k_in_memory, Database::Sharing::shared);
  try {
    bring_up_to_date();
  } catch (const Error& error) {
    if (!is_out_of_space(error)) throw;  // what is of an earlier boot is to be removed now or later
  }
}

void Store::bring_up_to_date() {
  Transaction transaction(*database_);
  const auto version = schema_version(*database_);
  if (version < k_index_format) {
    if (version == k_old_findings_format) database_->execute(k_forget_audited_bases);
    database_->execute(k_drop_changed);
    database_->execute(k_schema);
    database_->execute(fmt::format("PRAGMA user_version={}", k_index_format).c_str());
  }
  if (boot_of_last_use(*database_) != boot_id_) {
    for (const char* table : k_tables_with_boot) {
      Statement(
          *database_,
          fmt::format("DELETE FROM {} WHERE boot IS NOT NULL AND boot NOT IN (?1, ?1||' syncing')", table).c_str())
          .bind(boot_id_)
          .run();
    }
    remove_blobs_changed_since(durable_until(*database_));
    Statement(*database_, "INSERT OR REPLACE INTO meta VALUES('boot',?)").bind(boot_id_).run();
  }
  transaction.commit();
}

void Store::replace_index() {
  const std::uint64_t inode = database_->inode();
  database_.reset();
  set_index_aside(root_, inode);
  open_index(Purpose::building);
}

void set_index_aside(const std::string& root, std::uint64_t inode) {
  const auto setting_up = FileLock::acquire(root + "/locks/open");
  struct stat status;
  if (::stat((root + "/index.db").c_str(), &status) == 0 && status.st_ino == inode) set_aside(root + "/index.db");
}

// Rows that are added while syncfs runs may be of things that it did not write. So the rows that it stands for are
// marked before; a mark that stays, because this process ends, is one of another boot to the next.
void Store::make_durable() {
  const auto alone = FileLock::acquire(locks_directory() + "/sync");
  const std::int64_t begun = next_file_time();
  const std::string syncing = boot_id_ + " syncing";
  const auto mark = [&](const char* change, const std::string& from) {
    Transaction transaction(*database_);
    for (const char* table : k_tables_with_boot)
      Statement(*database_, fmt::format("UPDATE {} SET {} WHERE boot=?", table, change).c_str()).bind(from).run();
    transaction.commit();
  };
  mark("boot=boot||' syncing'", boot_id_);
  const Fd directory = open_file(root_, O_RDONLY | O_DIRECTORY);
  if (::syncfs(directory.get()) < 0) throw system_error(errno, "syncfs " + root_);
  mark("boot=NULL", syncing);
  Statement(*database_, "INSERT OR REPLACE INTO meta VALUES('synced',?)").bind(std::to_string(begun)).run();
}

}  // namespace mbuild::cache
