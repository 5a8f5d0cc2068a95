#include "cache/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <initializer_list>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/host_variable.h"
#include "base/own_directory.h"
#include "base/strings.h"

// Crash safety, in short. A thing (layer directory, blob) gets its final name by rename when it is complete; its row
// comes after. So a row without its thing is a miss, and a thing without a row is garbage. Nothing is synced while a
// build runs: every row carries the boot id of the run that added it until a later syncfs cleared it, and rows of an
// earlier boot that were never cleared are dropped when the store is opened. So are blobs that are newer than the last
// syncfs: they are used by their names alone.
namespace mbuild::cache {
namespace {

constexpr int k_format = 1;

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

std::string read_boot_id() {
  if (auto given = host_variable("MBUILD_TEST_BOOT_ID")) return std::move(*given);
  return std::string(trim(read_file("/proc/sys/kernel/random/boot_id")));
}

void refuse_network_file_system(const std::string& root) {
  struct statfs status;
  if (::statfs(root.c_str(), &status) < 0) throw system_error(errno, "statfs " + root);
  constexpr std::uint64_t k_nfs = 0x6969, k_cifs = 0xff534d42, k_smb2 = 0xfe534d42, k_9p = 0x01021997;
  const auto type = static_cast<std::uint64_t>(static_cast<std::uint32_t>(status.f_type));
  if (type == k_nfs || type == k_cifs || type == k_smb2 || type == k_9p) {
    throw Error(ExitClass::store,
                fmt::format("the store {} is on a network file system, which cannot hold layers", root))
        .with_advice("Choose a local directory with --root DIR or MBUILD_ROOT.");
  }
}

// Of what is set aside; no two have the same.
std::string name_aside(const std::string& path) {
  return fmt::format("{}.damaged-{}-{}", path, unix_seconds(), random_hex(4));
}

// What can't be what its name says is put out of the way of what is made anew.
void put_out_of_the_way(const std::string& path) {
  const std::string aside = name_aside(path);
  if (::rename(path.c_str(), aside.c_str()) < 0 && errno != ENOENT) throw system_error(errno, "rename " + path);
}

// A directory that somebody else has filled is none to take over: its mode would change under him. Another build may be
// about to make it a store: its first file comes into being, and is_store says so a moment later.
void require_no_others_files(const std::string& root) {
  if (is_store(root)) return;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const std::string name = entry.path().filename();
    if (name == "lost+found" || name.starts_with("probe-") || name.starts_with("VERSION.")) continue;
    if (is_store(root)) return;
    throw Error(ExitClass::store, fmt::format("{} is no store, and not empty: it holds {}", root, name))
        .with_advice(
            fmt::format("Choose a directory for the store alone with --root DIR or MBUILD_ROOT, say {}/mbuild.", root));
  }
}

// Taking it over would shut everybody else out, be it empty.
bool is_shared_place(const std::string& root) {
  std::error_code none;
  return std::ranges::any_of(std::initializer_list<const char*>{"/", "/tmp", "/var/tmp", "/dev/shm", "/run"},
                             [&](const char* place) { return std::filesystem::equivalent(root, place, none); });
}

// What is in a store may be setuid programs, other people's secrets, and layers that never change: nobody else looks
// in.
void take_root(const std::string& root) {
  make_directories(root, 0700);
  struct stat status;
  if (::stat(root.c_str(), &status) < 0) throw system_error(errno, "stat " + root);
  if (status.st_uid != ::geteuid() || is_shared_place(root)) {
    const std::string whose = status.st_uid == ::geteuid()
                                  ? std::string("is one that everybody writes to")
                                  : fmt::format("belongs to the user {}, not to {}", status.st_uid, ::geteuid());
    throw Error(ExitClass::store, fmt::format("the store's directory {} {}", root, whose))
        .with_advice(fmt::format(
            "A store is private. Choose a directory of your own with --root DIR or MBUILD_ROOT, say {}/mbuild.", root));
  }
  require_no_others_files(root);
  const Fd directory = open_file(root, O_RDONLY | O_DIRECTORY);
  settle_directory(directory.get(), root, 0700);
  if (::fstat(directory.get(), &status) < 0) throw system_error(errno, "stat " + root);
  if ((status.st_mode & 077) == 0) return;
  throw Error(ExitClass::store, fmt::format("the store's directory {} can't be made private: its file system gives all "
                                            "directories the mode {:o}",
                                            root, status.st_mode & 07777))
      .with_advice("Choose a directory on another file system with --root DIR or MBUILD_ROOT.");
}

void make_directory(const std::string& path, unsigned mode) {
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) put_out_of_the_way(path);
  make_settled_directory(path, mode);
}

// Makes a file of the store ours alone; one that is not there is none the worse for it.
void make_file_private(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0 || !S_ISREG(status.st_mode) || (status.st_mode & 0777) == 0600) return;
  if (::chmod(path.c_str(), 0600) < 0) throw system_error(errno, "set the mode of " + path);
}

// "mbuild store NUMBER\nowner NUMBER\n"; anything else was damaged since it was written.
bool is_version(std::string_view text) {
  for (const std::string_view word : {"mbuild store ", "owner "}) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    const auto end = text.find_first_not_of("0123456789");
    if (end == 0 || end == std::string_view::npos || text[end] != '\n') return false;
    text.remove_prefix(end + 1);
  }
  return text.empty();
}

void check_version(const std::string& root) {
  const std::string path = root + "/VERSION";
  const std::string mine = fmt::format("mbuild store {}\nowner {}\n", k_format, ::geteuid());
  struct stat status;
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) put_out_of_the_way(path);
  make_file_private(path);
  const std::string found = path_exists(path) ? read_file(path) : "";
  if (found == mine) return;
  if (is_version(found)) {
    throw Error(ExitClass::store,
                fmt::format("the store {} is not one that this program and user may use ({} found, {} wanted)", root,
                            join(split(trim(found), '\n'), ", "), join(split(trim(mine), '\n'), ", ")))
        .with_advice("Choose another directory with --root DIR or MBUILD_ROOT.");
  }
  write_file_atomically(path, mine, 0600);
}

std::string clamp_text(const std::optional<std::int64_t>& clamp) { return clamp ? std::to_string(*clamp) : ""; }

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

Layer layer_of(const Statement& row) {
  Layer layer;
  layer.id = row.text(0);
  layer.result_digest = row.text(1);
  layer.pulled = row.number(2) != 0;
  layer.bytes = static_cast<std::uint64_t>(row.number(3));
  layer.files = static_cast<std::uint64_t>(row.number(4));
  layer.newest_mtime = row.number(5);
  // A name may hold any byte but NUL; JSON cannot, so names are kept NUL-separated.
  if (const auto implied = row.text(6); !implied.empty()) layer.implied = split(implied, '\0');
  return layer;
}

}  // namespace

std::string bundle_id(const Digest& key) { return fmt::format("run-{}", digest_hex(key).substr(0, 32)); }

bool is_store(const std::string& root) {
  return std::ranges::any_of(std::initializer_list<const char*>{"/VERSION", "/index.db", "/fs", "/blobs", "/locks"},
                             [&](const char* name) { return path_exists(root + name); });
}

Store::Store(const std::string& root, const std::string& map, Purpose purpose)
    : root_(root), fs_(root + "/fs/" + map), boot_id_(read_boot_id()) {
  prepare_directories();
  open_index(purpose);
}

void Store::prepare_directories() {
  take_root(root_);
  refuse_network_file_system(root_);
  check_version(root_);
  for (const char* directory : {"/blobs", "/blobs/sha256", "/locks"}) make_directory(root_ + directory, 0700);
  make_directory(root_ + "/fs", 0711);
  for (const char* directory : {"", "/layers", "/mounts", "/contents", "/work"}) make_directory(fs_ + directory, 0711);
}

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

std::string Store::blob_path(std::string_view digest) const {
  return fmt::format("{}/blobs/sha256/{}", root_, digest_hex(digest));
}

std::string Store::layer_path(std::string_view id) const { return fmt::format("{}/layers/{}", fs_, id); }

std::string Store::contents_path(std::string_view layer_id) const {
  return fmt::format("{}/contents/{}", fs_, layer_id);
}

std::string Store::cache_mount_path(std::string_view id) const {
  return fmt::format("{}/mounts/{}", fs_, digest_hex(sha256(id)));
}

std::optional<Layer> Store::find_layer(std::string_view id) {
  std::optional<Layer> layer;
  {
    Statement query(*database_,
                    "UPDATE layers SET used=? WHERE id=? RETURNING id,result,pulled,bytes,files,newest,implied");
    if (!query.bind(unix_seconds()).bind(id).step()) return std::nullopt;
    layer = layer_of(query);
    query.finish();
  }
  struct stat status;
  if (::lstat(layer_path(id).c_str(), &status) < 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return layer;
}

std::optional<Layer> Store::find_layer_by_result(const Digest& result_digest) {
  std::vector<std::string> ids;
  {
    Statement query(*database_, "SELECT id FROM layers WHERE result=? AND pulled=0");
    query.bind(result_digest);
    while (query.step()) ids.push_back(query.text(0));
  }
  for (const auto& id : ids) {
    if (auto layer = find_layer(id)) return layer;
  }
  return std::nullopt;
}

void Store::add_layer(const Layer& layer) {
  std::string implied;
  for (const auto& path : layer.implied) {
    if (!implied.empty()) implied += '\0';
    implied += path;
  }
  Statement(*database_, "INSERT OR REPLACE INTO layers VALUES(?,?,?,?,?,?,?,?,?)")
      .bind(layer.id)
      .bind(layer.result_digest)
      .bind(layer.pulled ? 1 : 0)
      .bind(static_cast<std::int64_t>(layer.bytes))
      .bind(static_cast<std::int64_t>(layer.files))
      .bind(layer.newest_mtime)
      .bind(implied)
      .bind(unix_seconds())
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<StepRecord> Store::find_record(const Digest& content_key) {
  Statement query(*database_,
                  "UPDATE records SET used=? WHERE content_key=? "
                  "RETURNING content_key,layers,created,duration,emulator,name");
  if (!query.bind(unix_seconds()).bind(content_key).step()) return std::nullopt;
  StepRecord record;
  record.content_key = query.text(0);
  record.layers = split(query.text(1), ',');
  record.created = query.number(2);
  record.duration_ms = query.number(3);
  record.emulator = query.text(4);
  record.name = query.text(5);
  query.finish();
  return record;
}

void Store::add_record(const StepRecord& record) {
  Statement(*database_, "INSERT OR REPLACE INTO records VALUES(?,?,?,?,?,?,?,?)")
      .bind(record.content_key)
      .bind(join(record.layers, ","))
      .bind(record.created)
      .bind(record.duration_ms)
      .bind(record.emulator)
      .bind(record.name)
      .bind(unix_seconds())
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<Digest> Store::find_definition(const Digest& definition_key, const Digest& inputs) {
  Statement query(*database_, "SELECT content_key FROM definitions WHERE definition_key=? AND inputs=?");
  if (!query.bind(definition_key).bind(inputs).step()) return std::nullopt;
  return query.text(0);
}

std::optional<std::string> Store::latest_layer_of(const Digest& definition_key) {
  Statement query(*database_,
                  "SELECT layers FROM definitions JOIN records USING(content_key) WHERE definition_key=? "
                  "ORDER BY used DESC LIMIT 1");
  if (!query.bind(definition_key).step()) return std::nullopt;
  return split(query.text(0), ',').front();
}

void Store::add_definition(const Digest& definition_key, const Digest& inputs, const Digest& content_key) {
  Statement(*database_, "INSERT OR REPLACE INTO definitions VALUES(?,?,?,?)")
      .bind(definition_key)
      .bind(inputs)
      .bind(content_key)
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<Serialisation> Store::find_serialisation(const SerialisationKey& key) {
  Serialisation value;
  {
    Statement query(
        *database_,
        "SELECT diff_id,digest,size FROM serialisations WHERE layer=? AND compression=? AND level=? AND clamp=?");
    if (!query.bind(key.layer_id).bind(key.compression).bind(key.level).bind(clamp_text(key.clamp_mtime)).step()) {
      return std::nullopt;
    }
    value = {query.text(0), query.text(1), static_cast<std::uint64_t>(query.number(2))};
  }  // a read that is still open could not turn into a write
  if (!use_blob(value.digest, value.size)) return std::nullopt;
  return value;
}

void Store::add_serialisation(const SerialisationKey& key, const Serialisation& value) {
  Statement(*database_, "INSERT OR REPLACE INTO serialisations VALUES(?,?,?,?,?,?,?,?)")
      .bind(key.layer_id)
      .bind(key.compression)
      .bind(key.level)
      .bind(clamp_text(key.clamp_mtime))
      .bind(value.diff_id)
      .bind(value.digest)
      .bind(static_cast<std::int64_t>(value.size))
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<std::string> Store::find_audit(std::string_view layer_id, std::string_view platform) {
  Statement query(*database_, "SELECT findings FROM audits WHERE layer=? AND platform=?");
  if (!query.bind(layer_id).bind(platform).step()) return std::nullopt;
  return query.text(0);
}

void Store::add_audit(std::string_view layer_id, std::string_view platform, std::string_view findings) {
  Statement(*database_, "INSERT OR REPLACE INTO audits VALUES(?,?,?)")
      .bind(layer_id)
      .bind(platform)
      .bind(findings)
      .run();
}

std::optional<DownloadRecord> Store::find_download(const std::string& url) {
  Statement query(*database_, "SELECT etag,modified,mtime,digest,layer FROM downloads WHERE url=?");
  if (!query.bind(url).step()) return std::nullopt;
  return DownloadRecord{query.text(0), query.text(1), query.number(2), query.text(3), query.text(4)};
}

void Store::add_download(const std::string& url, const DownloadRecord& record) {
  Statement(*database_, "INSERT OR REPLACE INTO downloads VALUES(?,?,?,?,?,?,?)")
      .bind(url)
      .bind(record.etag)
      .bind(record.last_modified)
      .bind(record.mtime)
      .bind(record.digest)
      .bind(record.layer_id)
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<std::int64_t> Store::expected_duration_ms(const Digest& key) {
  Statement query(*database_, "SELECT milliseconds FROM durations WHERE step=?");
  if (!query.bind(key).step()) return std::nullopt;
  return query.number(0);
}

void Store::remember_duration(const Digest& key, std::int64_t milliseconds) {
  Statement(*database_, "INSERT OR REPLACE INTO durations VALUES(?,?)").bind(key).bind(milliseconds).run();
}

namespace {

// The byte that stands for a key in a lock file. Two keys must not share one: a step that waits for another, which may
// run until the first one fails, waits for ever.
std::int64_t byte_of(const Digest& key) {
  std::int64_t byte = 0;
  const auto digits = digest_hex(key).substr(0, 15);
  std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  return byte;
}

}  // namespace

FileLock Store::lock_step(const Digest& key, std::stop_token stop) {
  return FileLock::acquire_byte(locks_directory() + "/step", byte_of(key), std::move(stop));
}

FileLock Store::lock_layer(const Digest& diff_id, std::stop_token stop) {
  return FileLock::acquire_byte(locks_directory() + "/layer", byte_of(diff_id), std::move(stop));
}

FileLock Store::lock_cache_mount(std::string_view id, std::stop_token stop) {
  return FileLock::acquire(fmt::format("{}/mount-{}", locks_directory(), digest_hex(sha256(id))), std::move(stop));
}

FileLock Store::try_lock_cache_mount(std::string_view id) {
  return FileLock::try_acquire(fmt::format("{}/mount-{}", locks_directory(), digest_hex(sha256(id))));
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

BuildDirectory::BuildDirectory(const Store& store) {
  const std::string name = random_hex(8);
  lock_path_ = store.locks_directory() + "/build-" + name;
  lock_ = FileLock::acquire(lock_path_);
  path_ = store.work_directory() + "/" + name;
  make_directories(path_, 0700);
}

BuildDirectory::~BuildDirectory() { ::unlink(lock_path_.c_str()); }

bool is_in_use(const std::string& root) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/locks", none)) {
    if (!entry.path().filename().string().starts_with("build-")) continue;
    if (!FileLock::try_acquire(entry.path())) return true;
  }
  return false;
}

std::vector<std::string> abandoned_build_directories(const Store& store) {
  std::vector<std::string> found;
  DIR* directory = ::opendir(store.work_directory().c_str());
  if (directory == nullptr) return found;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name.starts_with('.')) continue;
    const std::string lock_path = store.locks_directory() + "/build-" + name;
    if (FileLock::try_acquire(lock_path)) {
      found.push_back(store.work_directory() + "/" + name);
      ::unlink(lock_path.c_str());
    }
  }
  ::closedir(directory);
  return found;
}

}  // namespace mbuild::cache
