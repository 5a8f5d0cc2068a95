#include "cache/store_items.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cache/store.h"

// What may be removed, and removing it while builds run.
//
// A build holds what it has used since it began: every look-up that finds something writes the time of use into its
// row, and the lock file of the build says since when it holds. Here an item is removed in one transaction that first
// compares the two. The database lets one writer in at a time. So either the build's look-up came first, and the item
// is seen to be in use; or the removal did, and the look-up finds no row: a miss. What has a directory is renamed in
// the same transaction, so that a build that makes the same thing anew does not meet it; the files are deleted later.
//
// On a full disk a row can't be deleted, since the database writes down first what it is about to change. Then the
// transaction writes nothing: it keeps others out while the two are compared and the directory is renamed, and the rows
// stay. They lead to nothing, which is a miss, and go when there is space.
namespace mbuild::cache {
namespace {

constexpr std::string_view k_gone = ".gone-";
constexpr std::string_view k_retired = "old-";
constexpr std::int64_t k_nobody = std::numeric_limits<std::int64_t>::max();

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// When the oldest of the running builds began, in seconds since 1970.
std::int64_t held_since(const Store& store) {
  constexpr std::int64_t k_behind = 20'000'000;  // nanoseconds: the clock that gives files their times goes by ticks
  const auto oldest = oldest_build(store.root());
  return oldest ? (*oldest - k_behind) / 1'000'000'000 : k_nobody;
}

std::string layer_type(const std::string& id, bool pulled, const std::string& record_name, bool downloaded) {
  if (id.starts_with("run-")) return "internal";
  if (id.starts_with("failed-")) return "exec.failed";
  if (pulled) return "source.image";
  if (downloaded) return "source.http";
  if (record_name == "build context") return "source.local";
  if (record_name.starts_with("git://")) return "source.git.checkout";
  return "regular";
}

// The time of a directory entry's last change; 0 when it is not there.
std::int64_t changed_at(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0) return 0;
  return std::max<std::int64_t>(status.st_mtim.tv_sec, status.st_ctim.tv_sec);
}

// Out of the way of who makes the same thing anew; the new name.
std::string put_aside(const std::string& path) {
  // Short, so that the directory has room for it when the disk has none.
  std::string aside = fmt::format("{}/{}{}", dir_name(path), k_gone, random_hex(8));
  if (::rename(path.c_str(), aside.c_str()) == 0) return aside;
  if (errno == ENOENT) return "";
  throw system_error(errno, "rename " + path);
}

void remove_rows_of(Database& database, const StoreItem& item, const std::string& name) {
  const auto drop = [&](const char* sql, const std::string& key) { Statement(database, sql).bind(key).run(); };
  switch (item.kind) {
    case StoreItem::Kind::layer:
      for (const auto& key : item.records) drop("DELETE FROM records WHERE content_key=?", key);
      drop("DELETE FROM serialisations WHERE layer=?", name);
      drop("DELETE FROM audits WHERE layer=?", name);
      return drop("DELETE FROM layers WHERE id=?", name);
    case StoreItem::Kind::blob:
      return drop("DELETE FROM blobs WHERE digest=?", name);
    case StoreItem::Kind::cache_mount:
      return drop("DELETE FROM mounts WHERE name=?", name);
    case StoreItem::Kind::emulator:
      return;
  }
}

// A blob; it may be a directory, which no blob should be.
void remove_blob(const std::string& path) {
  std::error_code code;
  std::filesystem::remove_all(path, code);
  if (code) throw Error(ExitClass::store, fmt::format("remove {}: {}", path, code.message()));
}

// As rows have it.
std::string name_of(const StoreItem& item) {
  return item.kind == StoreItem::Kind::blob ? "sha256:" + item.id : item.id;
}

bool is_of_image(Database& database, std::string_view digest) {
  Statement query(database, "SELECT 1 FROM image_blobs WHERE blob=?");
  return query.bind(digest).step();
}

}  // namespace

std::int64_t worth_keeping_until(const StoreItem& item) {
  constexpr double k_megabyte = 1e6, k_hour = 3600, k_month = 30 * 24 * k_hour;
  const double megabytes = std::max(static_cast<double>(item.bytes), 4096.0) / k_megabyte;
  const double seconds_a_megabyte = static_cast<double>(item.cost_ms) / 1000 / megabytes;
  return item.used + static_cast<std::int64_t>(std::min(seconds_a_megabyte * k_hour, k_month));
}

std::vector<StoreItem> choose_to_remove(std::vector<StoreItem> items, std::uint64_t bytes) {
  std::erase_if(items, [](const StoreItem& item) { return !item.reclaimable(); });
  std::stable_sort(items.begin(), items.end(), [](const StoreItem& a, const StoreItem& b) {
    return worth_keeping_until(a) < worth_keeping_until(b);
  });
  std::uint64_t freed = 0;
  std::size_t count = 0;
  while (count < items.size() && freed < bytes) freed += items[count++].bytes;
  items.resize(count);
  return items;
}

std::vector<StoreItem> Store::items() {
  const std::int64_t held = held_since(*this);
  std::vector<StoreItem> items = layer_items();
  for (auto part : {blob_items(), mount_items(), emulator_items()}) items.insert(items.end(), part.begin(), part.end());
  const auto by_containers = held_by_containers();
  for (auto& item : items) {
    item.in_use = item.used >= held;
    item.kept = item.kept || by_containers.contains(name_of(item));
  }
  return items;
}

// What containers stand on, be it that they run or not: names of layers and blobs, one a line.
std::set<std::string> Store::held_by_containers() const {
  std::set<std::string> held;
  for (const auto& name : names_in(fs_ + "/containers")) {
    const std::string path = fmt::format("{}/containers/{}/uses", fs_, name);
    if (name.starts_with('.') || !path_exists(path)) continue;
    try {
      for (auto& line : split(read_file(path), '\n')) held.insert(std::move(line));
    } catch (const Error&) {
      // It was removed meanwhile.
    }
  }
  return held;
}

std::vector<StoreItem> Store::layer_items() {
  struct Made {
    std::vector<std::string> records;
    std::string name;
    std::int64_t cost_ms = 0, created = 0;
  };
  std::map<std::string, Made> made;
  for (Statement query(*database_, "SELECT content_key,layers,duration,created,name FROM records"); query.step();) {
    for (const auto& id : split(query.text(1), ',')) {
      auto& one = made[id];
      one.records.push_back(query.text(0));
      one.cost_ms = std::max(one.cost_ms, query.number(2));
      one.created = query.number(3);
      one.name = query.text(4);
    }
  }
  std::map<std::string, std::string> downloads;
  for (Statement query(*database_, "SELECT layer,url FROM downloads"); query.step();) {
    downloads[query.text(0)] = query.text(1);
  }
  std::vector<StoreItem> items;
  for (Statement query(*database_, "SELECT id,pulled,bytes,files,used FROM layers ORDER BY id"); query.step();) {
    StoreItem item;
    item.id = query.text(0);
    item.path = layer_path(item.id);
    item.files = static_cast<std::uint64_t>(query.number(3));
    // Until somebody measures: each file fills half a block more than its size.
    item.bytes = static_cast<std::uint64_t>(query.number(2)) + item.files * 2048;
    item.used = query.number(4);
    const bool pulled = query.number(1) != 0;
    const auto& one = made[item.id];
    const auto download = downloads.find(item.id);
    item.type = layer_type(item.id, pulled, one.name, download != downloads.end());
    item.description = pulled                        ? "layer of a base image"
                       : item.type == "internal"     ? "older layers of a long image, merged for mounting"
                       : item.type == "exec.failed"  ? "what a RUN had written when it failed"
                       : download != downloads.end() ? download->second
                                                     : one.name;
    // A network and a disk together bring some 20 MB a second.
    item.cost_ms = pulled || download != downloads.end() ? static_cast<std::int64_t>(item.bytes / 20'000) : one.cost_ms;
    item.created = one.created;
    item.records = one.records;
    item.shared = one.records.size() > 1;
    items.push_back(std::move(item));
  }
  std::set<std::string> known;
  for (const auto& item : items) known.insert(item.id);
  for (auto& item : nameless_items(known)) items.push_back(std::move(item));
  return items;
}

// Directories that no row leads to: of builds that were killed, or had no room for the row.
std::vector<StoreItem> Store::nameless_items(const std::set<std::string>& known) {
  std::vector<StoreItem> items;
  for (const auto& name : names_in(layers_directory())) {
    if (known.contains(name)) continue;
    StoreItem item;
    item.id = name;
    item.path = layer_path(name);
    item.type = "internal";
    item.description = "left behind by a build that did not end well";
    item.created = item.used = changed_at(item.path);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<StoreItem> Store::blob_items() {
  std::map<std::string, std::string> layers;
  std::map<std::string, std::int64_t> used;
  std::map<std::string, unsigned> images;
  for (Statement query(*database_, "SELECT digest,layer FROM serialisations"); query.step();) {
    layers[query.text(0)] = query.text(1);
  }
  for (Statement query(*database_, "SELECT digest,used FROM blobs"); query.step();)
    used[query.text(0)] = query.number(1);
  for (Statement query(*database_, "SELECT blob FROM image_blobs"); query.step();) ++images[query.text(0)];
  std::vector<StoreItem> items;
  const std::string directory = root_ + "/blobs/sha256";
  for (const auto& name : names_in(directory)) {
    StoreItem item;
    item.kind = StoreItem::Kind::blob;
    item.id = name;
    item.path = directory + "/" + name;
    struct stat status;
    if (::lstat(item.path.c_str(), &status) < 0) continue;
    const std::string digest = "sha256:" + name;
    item.bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
    item.files = 1;
    item.created = status.st_mtim.tv_sec;
    item.used = std::max(used[digest], changed_at(item.path));
    const auto layer = layers.find(digest);
    item.type = layer != layers.end() ? "regular" : "source.image";
    item.description = layer != layers.end() ? "compressed layer" : "blob of an image";
    if (name.ends_with(".partial")) item.description = "unfinished download";
    if (layer != layers.end()) item.parents = {layer->second};
    item.cost_ms = static_cast<std::int64_t>(item.bytes / (layer != layers.end() ? 100'000 : 20'000));
    const unsigned count = images[digest];
    item.kept = count > 0;
    item.shared = count > 1;
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<StoreItem> Store::mount_items() {
  std::map<std::string, std::pair<std::string, std::int64_t>> known;
  for (Statement query(*database_, "SELECT name,id,used FROM mounts"); query.step();) {
    known[query.text(0)] = {query.text(1), query.number(2)};
  }
  std::vector<StoreItem> items;
  for (const auto& name : names_in(fs_ + "/mounts")) {
    if (name.starts_with(k_gone)) continue;
    StoreItem item;
    item.kind = StoreItem::Kind::cache_mount;
    item.id = name;
    item.path = fs_ + "/mounts/" + name;
    item.type = "exec.cachemount";
    const auto row = known.find(name);
    item.description = row == known.end() ? "cache mount" : "cache mount " + row->second.first;
    item.used = row == known.end() ? changed_at(item.path) : row->second.second;
    item.created = changed_at(item.path);
    items.push_back(std::move(item));
  }
  return items;
}

// Copies of emulators; each is touched when a build takes it.
std::vector<StoreItem> Store::emulator_items() const {
  std::vector<StoreItem> items;
  for (const auto& name : names_in(emulators_path())) {
    if (name.starts_with(k_gone)) continue;
    StoreItem item;
    item.kind = StoreItem::Kind::emulator;
    item.id = name;
    item.path = join_path(emulators_path(), name);
    item.type = "internal";
    item.created = item.used = changed_at(item.path);
    for (const auto& file : names_in(item.path)) {
      struct stat status;
      if (::lstat(join_path(item.path, file).c_str(), &status) < 0) continue;
      item.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
      ++item.files;
      item.description = "copy of an emulator, " + file;
      item.created = status.st_mtim.tv_sec;
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::optional<std::string> Store::remove_item(const StoreItem& item) {
  try {
    return remove_item(item, true);
  } catch (const Error& error) {
    if (!is_out_of_space(error)) throw;
  }
  return remove_item(item, false);
}

std::optional<std::string> Store::remove_item(const StoreItem& item, bool rows_too) {
  const char* query_of[] = {"SELECT used FROM layers WHERE id=?", "SELECT used FROM blobs WHERE digest=?",
                            "SELECT used FROM mounts WHERE name=?"};
  const std::string name = name_of(item);
  Transaction transaction(*database_);
  if (item.kind == StoreItem::Kind::emulator) {
    return changed_at(item.path) >= held_since(*this) ? std::nullopt : std::optional(put_aside(item.path));
  }
  std::int64_t used = item.kind == StoreItem::Kind::layer ? 0 : changed_at(item.path);
  {
    Statement query(*database_, query_of[static_cast<int>(item.kind)]);
    const bool known = query.bind(name).step();
    used = known ? std::max(used, query.number(0)) : changed_at(item.path);
  }
  if (used >= held_since(*this)) return std::nullopt;
  if (item.kind == StoreItem::Kind::blob && is_of_image(*database_, name)) return std::nullopt;  // made meanwhile
  if (item.kind != StoreItem::Kind::cache_mount && held_by_containers().contains(name)) return std::nullopt;
  if (rows_too) remove_rows_of(*database_, item, name);
  std::string path;
  if (item.kind == StoreItem::Kind::blob) {
    remove_blob(item.path);
  } else {
    path = put_aside(item.path);
    if (item.kind == StoreItem::Kind::layer) ::unlink(contents_path(item.id).c_str());
  }
  crash_point("item-put-aside");
  transaction.commit();
  crash_point("item-removed");
  return path;
}

void Store::remove_dangling_rows() {
  Transaction transaction(*database_);
  database_->execute("DELETE FROM definitions WHERE content_key NOT IN (SELECT content_key FROM records)");
  database_->execute("DELETE FROM downloads WHERE layer NOT IN (SELECT id FROM layers)");
  transaction.commit();
}

std::vector<std::string> Store::take_garbage() {
  std::vector<std::string> garbage;
  Transaction transaction(*database_);
  const std::int64_t held = held_since(*this);
  std::set<std::string> known;
  for (Statement query(*database_, "SELECT id FROM layers"); query.step();) known.insert(query.text(0));
  for (const auto& name : names_in(layers_directory())) {
    const std::string path = layers_directory() + "/" + name;
    if (name.starts_with(k_gone)) {
      garbage.push_back(path);
    } else if (!known.contains(name) && changed_at(path) < held) {
      // Not of a running build, which would be about to write its row.
      if (const auto aside = put_aside(path); !aside.empty()) garbage.push_back(aside);
    }
  }
  for (const auto& name : names_in(fs_ + "/contents")) {
    if (!known.contains(name) && changed_at(contents_path(name)) < held) garbage.push_back(contents_path(name));
  }
  for (const auto& name : names_in(fs_ + "/mounts")) {
    if (name.starts_with(k_gone)) garbage.push_back(fs_ + "/mounts/" + name);
  }
  for (const auto& name : names_in(emulators_path())) {
    if (name.starts_with(k_gone)) garbage.push_back(join_path(emulators_path(), name));
  }
  for (const auto& directory : {root_, locks_directory()}) {
    for (const auto& name : names_in(directory)) {
      if (name.find(".damaged-") != std::string::npos) garbage.push_back(directory + "/" + name);
    }
  }
  // Layers as another program, or another map of ids, has them: no build of this one looks there.
  for (const auto& name : names_in(root_ + "/fs")) {
    if (held == k_nobody && root_ + "/fs/" + name != fs_) garbage.push_back(root_ + "/fs/" + name);
  }
  transaction.commit();
  return garbage;
}

void Store::remove_blobs_changed_since(std::int64_t time) {
  const std::string directory = root_ + "/blobs/sha256";
  for (const auto& name : names_in(directory)) {
    const std::string path = fmt::format("{}/{}", directory, name);
    struct stat status;
    if (::lstat(path.c_str(), &status) < 0) continue;
    const auto changed = status.st_ctim;
    // Some file systems know whole seconds only.
    const bool is_newer = changed.tv_nsec == 0 ? changed.tv_sec >= time / 1'000'000'000
                                               : changed.tv_sec * 1'000'000'000 + changed.tv_nsec >= time;
    if (is_newer && ::unlink(path.c_str()) < 0 && errno != ENOENT) throw system_error(errno, "remove " + path);
  }
}

bool Store::use_blob(std::string_view digest, std::optional<std::uint64_t> size) {
  Statement(*database_, "INSERT OR REPLACE INTO blobs VALUES(?,?)").bind(digest).bind(unix_seconds()).run();
  {
    const std::lock_guard guard(used_blobs_lock_);
    used_blobs_.emplace(digest);
  }
  struct stat status;
  if (::lstat(blob_path(digest).c_str(), &status) < 0) return false;
  const bool fits = !size || *size == 0 || static_cast<std::uint64_t>(status.st_size) == *size;
  if (S_ISREG(status.st_mode) && fits) return true;
  remove_blob(blob_path(digest));
  return false;
}

bool Store::verify_blob(const Digest& digest) {
  const Fd file(::open(blob_path(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return true;  // it is not there: a miss
  if (sha256_of_rest(file.get()) == digest) return true;
  remove_blob(blob_path(digest));
  return false;
}

std::size_t Store::remove_damaged_blobs() {
  std::set<Digest> used;
  {
    const std::lock_guard guard(used_blobs_lock_);
    used = used_blobs_;
  }
  return static_cast<std::size_t>(
      std::ranges::count_if(used, [&](const auto& digest) { return !verify_blob(digest); }));
}

void Store::use_cache_mount(std::string_view id) {
  Statement(*database_, "INSERT OR REPLACE INTO mounts VALUES(?,?,?)")
      .bind(digest_hex(sha256(id)))
      .bind(id)
      .bind(unix_seconds())
      .run();
}

std::string Store::retire_cache_mount(std::string_view id) {
  const std::string name = fmt::format("{}{}", k_retired, random_hex(8));
  Statement(*database_, "INSERT OR REPLACE INTO mounts VALUES(?,?,?)")
      .bind(name)
      .bind(fmt::format("{} (before --no-cache)", id))
      .bind(unix_seconds())
      .run();
  return fmt::format("{}/mounts/{}", fs_, name);
}

std::vector<std::string> Store::take_retired() {
  std::vector<std::string> names, paths;
  Transaction transaction(*database_);
  const std::int64_t held = held_since(*this);
  for (Statement query(*database_, "SELECT name,used FROM mounts"); query.step();) {
    if (query.text(0).starts_with(k_retired) && query.number(1) < held) names.push_back(query.text(0));
  }
  for (const auto& name : names) {
    Statement(*database_, "DELETE FROM mounts WHERE name=?").bind(name).run();
    if (auto path = put_aside(fmt::format("{}/mounts/{}", fs_, name)); !path.empty()) paths.push_back(std::move(path));
  }
  transaction.commit();
  return paths;
}

}  // namespace mbuild::cache
