#include "cache/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::error_of;
using mbuild::testing::ScopedVariable;
using mbuild::testing::TemporaryDirectory;

namespace {

struct Place {
  TemporaryDirectory directory;
  Store open(const std::string& map = "map") const { return {directory / "store", map}; }
  std::string index() const { return directory / "store/index.db"; }
};

const Digest k_one = sha256("one"), k_two = sha256("two");

std::optional<Digest> find_one(Store& store, const FileStamp& stamp) {
  return store.find_file_digests(std::span(&stamp, 1)).front();
}

// A layer with its directory, as a step that ran leaves it.
Layer put_layer(Store& store, const std::string& id, const Digest& result = "sha256:r") {
  make_directories(store.layer_path(id));
  const Layer layer{.id = id, .result_digest = result, .bytes = 10, .files = 2, .newest_mtime = 77};
  store.add_layer(layer);
  return layer;
}

Serialisation put_serialisation(Store& store, const SerialisationKey& key, const std::string& blob) {
  const Serialisation value{.diff_id = "sha256:diff", .digest = sha256(blob), .size = blob.size()};
  write_file_atomically(store.blob_path(value.digest), blob);
  store.add_serialisation(key, value);
  return value;
}

std::vector<std::string> set_aside(const Place& place) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(place.directory / "store")) {
    if (entry.path().filename().string().starts_with("index.db.damaged-")) found.push_back(entry.path());
  }
  return found;
}

// Overwrites the database behind its first page, which tells its kind and version.
void damage_behind_first_page(const std::string& path) {
  const auto size = std::filesystem::file_size(path);
  const Fd file = open_file(path, O_WRONLY);
  REQUIRE(::lseek(file.get(), 4096, SEEK_SET) == 4096);
  write_all(file.get(), std::string(size - 4096, '\xff'));
}

}  // namespace

TEST_CASE("A layer is found by its id and by what is in it") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("one"));
  store.add_layer({.id = "one",
                   .result_digest = "sha256:r",
                   .pulled = false,
                   .bytes = 10,
                   .files = 2,
                   .newest_mtime = 77,
                   .implied = {"usr", "usr/a\nb"}});
  for (const auto& found : {store.find_layer("one"), store.find_layer_by_result("sha256:r")}) {
    REQUIRE(found);
    CHECK(found->id == "one");
    CHECK(found->result_digest == "sha256:r");
    CHECK(found->bytes == 10);
    CHECK(found->files == 2);
    CHECK(found->newest_mtime == 77);
    CHECK(found->implied == std::vector<std::string>{"usr", "usr/a\nb"});
  }
  CHECK_FALSE(store.find_layer("two"));
  CHECK_FALSE(store.find_layer_by_result("sha256:s"));
}

TEST_CASE("A layer without implied directories has none when it is found") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  CHECK(store.find_layer("one")->implied.empty());
}

TEST_CASE("A layer whose directory is gone is a miss") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  std::filesystem::remove(store.layer_path("one"));
  CHECK_FALSE(store.find_layer("one"));
  CHECK_FALSE(store.find_layer_by_result("sha256:r"));
}

TEST_CASE("Of two layers with one result the one that is there is found") {
  const Place place;
  Store store = place.open();
  put_layer(store, "one");
  put_layer(store, "two");
  std::filesystem::remove(store.layer_path("one"));
  CHECK(store.find_layer_by_result("sha256:r")->id == "two");
}

TEST_CASE("A directory without a row is no layer") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("stray"));
  CHECK_FALSE(store.find_layer("stray"));
}

TEST_CASE("The diff id of a pulled layer is not taken for a result digest") {
  const Place place;
  Store store = place.open();
  make_directories(store.layer_path("pulled"));
  store.add_layer({.id = "pulled", .result_digest = "sha256:r", .pulled = true});
  CHECK(store.find_layer("pulled")->pulled);
  CHECK_FALSE(store.find_layer_by_result("sha256:r"));
}

TEST_CASE("Another id map has layers of its own") {
  const Place place;
  Store store = place.open("one");
  put_layer(store, "layer");
  CHECK_FALSE(place.open("two").find_layer("layer"));
  CHECK(place.open("one").find_layer("layer"));
}

TEST_CASE("A step record comes back as it was added, outputs that changed nothing included") {
  const Place place;
  Store store = place.open();
  store.add_record({.content_key = "sha256:k",
                    .layers = {"one", "", "two"},
                    .created = 5,
                    .duration_ms = 6,
                    .emulator = "qemu 7.2",
                    .name = "RUN 'x'"});
  const auto found = store.find_record("sha256:k");
  REQUIRE(found);
  CHECK(found->layers == std::vector<std::string>{"one", "", "two"});
  CHECK(found->created == 5);
  CHECK(found->duration_ms == 6);
  CHECK(found->emulator == "qemu 7.2");
  CHECK(found->name == "RUN 'x'");
  CHECK_FALSE(store.find_record("sha256:other"));
}

TEST_CASE("A later record takes the place of an earlier one") {
  const Place place;
  Store store = place.open();
  store.add_record({.content_key = "sha256:k", .layers = {"one"}});
  store.add_record({.content_key = "sha256:k", .layers = {"two"}});
  CHECK(store.find_record("sha256:k")->layers == std::vector<std::string>{"two"});
}

TEST_CASE("A definition leads to a content key for exactly the inputs that it had") {
  const Place place;
  Store store = place.open();
  store.add_definition("sha256:d", "sha256:i", "sha256:k");
  CHECK(store.find_definition("sha256:d", "sha256:i") == "sha256:k");
  CHECK_FALSE(store.find_definition("sha256:d", "sha256:j"));
  CHECK_FALSE(store.find_definition("sha256:e", "sha256:i"));
}

TEST_CASE("A serialisation is found by every part of its key") {
  const Place place;
  Store store = place.open();
  const SerialisationKey key{.layer_id = "one", .compression = "gzip", .level = 9, .clamp_mtime = 0};
  const auto value = put_serialisation(store, key, "blob");
  const auto found = store.find_serialisation(key);
  REQUIRE(found);
  CHECK(found->diff_id == value.diff_id);
  CHECK(found->digest == value.digest);
  CHECK(found->size == 4);
  const auto missing = [&](auto change) {
    SerialisationKey other = key;
    change(other);
    return !store.find_serialisation(other);
  };
  CHECK(missing([](SerialisationKey& k) { k.layer_id = "two"; }));
  CHECK(missing([](SerialisationKey& k) { k.compression = "zstd"; }));
  CHECK(missing([](SerialisationKey& k) { k.level = -1; }));
  CHECK(missing([](SerialisationKey& k) { k.clamp_mtime = 1; }));
  CHECK(missing([](SerialisationKey& k) { k.clamp_mtime.reset(); }));
}

TEST_CASE("A serialisation whose blob is gone is a miss") {
  const Place place;
  Store store = place.open();
  const SerialisationKey key{.layer_id = "one", .compression = "none"};
  const auto value = put_serialisation(store, key, "blob");
  std::filesystem::remove(store.blob_path(value.digest));
  CHECK_FALSE(store.find_serialisation(key));
}

TEST_CASE("A file's digest is known until anything of its stamp changes") {
  const Place place;
  Store store = place.open();
  const FileStamp stamp{.device = ~0ULL, .inode = 2, .size = 3, .mtime_ns = -4, .ctime_ns = 5};
  store.add_file_digests({{stamp, k_one}, {{.device = 1, .inode = 9}, k_two}});
  CHECK(find_one(store, stamp) == k_one);
  CHECK(find_one(store, {.device = 1, .inode = 9}) == k_two);
  const auto missing = [&](auto change) {
    FileStamp other = stamp;
    change(other);
    return !find_one(store, other);
  };
  CHECK(missing([](FileStamp& s) { s.device = 1; }));
  CHECK(missing([](FileStamp& s) { s.inode = 9; }));
  CHECK(missing([](FileStamp& s) { s.size = 4; }));
  CHECK(missing([](FileStamp& s) { s.mtime_ns = 4; }));
  CHECK(missing([](FileStamp& s) { s.ctime_ns = 6; }));
}

TEST_CASE("A changed file's digest takes the place of the old one") {
  const Place place;
  Store store = place.open();
  const FileStamp before{.inode = 1, .mtime_ns = 1}, after{.inode = 1, .mtime_ns = 2};
  store.add_file_digests({{before, k_one}});
  store.add_file_digests({{after, k_two}});
  CHECK(find_one(store, after) == k_two);
  CHECK_FALSE(find_one(store, before));
}

TEST_CASE("Neighbouring inodes are told apart, and answers come in the order asked") {
  const Place place;
  Store store = place.open();
  std::vector<std::pair<FileStamp, Digest>> known;
  std::vector<FileStamp> asked;
  for (std::uint64_t inode = 1000; inode < 1300; ++inode) {
    const FileStamp stamp{.device = inode % 2, .inode = inode, .size = inode};
    known.emplace_back(stamp, sha256(std::to_string(inode)));
    asked.insert(asked.begin(), stamp);
  }
  store.add_file_digests(known);
  asked.push_back({.device = 0, .inode = 2000});
  const auto found = store.find_file_digests(asked);
  REQUIRE(found.size() == 301);
  CHECK(found[0] == sha256("1299"));
  CHECK(found[299] == sha256("1000"));
  CHECK_FALSE(found[300]);
}

TEST_CASE("Steps are remembered by build and place, the latest alone") {
  const Place place;
  Store store = place.open();
  store.remember_steps("b", {{"1", "k1", "old"}, {"2", "k2", std::string("x\0y", 3)}});
  store.remember_steps("b", {{"1", "k3", "new"}});
  store.remember_steps("other", {{"1", "k4", ""}});
  const auto seen = store.seen_steps("b");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].key == "k3");
  CHECK(store.seen_inputs("b", "1") == "new");
  CHECK(store.seen_inputs("b", "2") == std::string("x\0y", 3));
  CHECK(store.seen_inputs("b", "3").empty());
}

TEST_CASE("Partial keys that were met are known to all who open the store later") {
  const Place place;
  {
    Store store = place.open();
    CHECK_FALSE(store.knows_partial_key("sha256:one"));
    store.add_partial_key("sha256:one");
    store.add_partial_key("sha256:one");
  }
  Store store = place.open();
  CHECK(store.knows_partial_key("sha256:one"));
  CHECK_FALSE(store.knows_partial_key("sha256:other"));
}

TEST_CASE("An index of the first format is brought up to date and keeps its records") {
  const Place place;
  {
    Store store = place.open();
    put_layer(store, "one");
    Database index(place.index());
    index.execute(
        "DROP TABLE files; DROP TABLE seen_steps; CREATE TABLE steps(build TEXT); DROP TABLE partial_keys; CREATE "
        "TABLE files(digest TEXT);"
        "PRAGMA user_version=1");
  }
  Store store = place.open();
  CHECK(store.find_layer("one"));
  store.add_file_digests({{{.inode = 1}, k_one}});
  CHECK(find_one(store, {.inode = 1}) == k_one);
  store.remember_steps("b", {{"1", "k", ""}});
  CHECK(store.seen_steps("b").size() == 1);
}

TEST_CASE("Findings of the index's format 5 are a miss, and bases that have some are unpacked again") {
  const Place place;
  {
    Store store = place.open();
    for (const char* id : {"sound base", "audited base", "step"}) put_layer(store, id);
    for (const char* id : {"audited base", "step"}) store.add_audit(id, "linux/arm64", std::string(8, '\0'));
    Database index(place.index());
    index.execute("UPDATE layers SET pulled=1 WHERE id LIKE '%base'; PRAGMA user_version=5");
  }
  Store store = place.open();
  CHECK(store.find_layer("sound base"));
  CHECK_FALSE(store.find_layer("audited base"));
  CHECK(store.find_layer("step"));
  CHECK_FALSE(store.find_audit("step", "linux/arm64"));
}

TEST_CASE("Audits, durations and downloads are kept by their names") {
  const Place place;
  Store store = place.open();
  const std::string findings("a\0b", 3);
  store.add_audit("one", "linux/arm64", findings);
  store.remember_duration("sha256:s", 1234);
  store.add_download("https://x", {"\"tag\"", "Monday", 7, "sha256:d", "layer"});
  CHECK(store.find_audit("one", "linux/arm64") == findings);
  CHECK_FALSE(store.find_audit("one", "linux/amd64"));
  CHECK(store.expected_duration_ms("sha256:s") == 1234);
  CHECK_FALSE(store.expected_duration_ms("sha256:t"));
  const auto download = store.find_download("https://x");
  REQUIRE(download);
  CHECK(download->etag == "\"tag\"");
  CHECK(download->last_modified == "Monday");
  CHECK(download->mtime == 7);
  CHECK(download->digest == "sha256:d");
  CHECK(download->layer_id == "layer");
}

TEST_CASE("A step runs in one build at a time") {
  const Place place;
  Store store = place.open(), other = place.open();
  const auto held = store.lock_step(sha256("step"), {});
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(other.lock_step(sha256("step"), stop.get_token()), Cancelled);
  CHECK(other.lock_layer(sha256("step"), stop.get_token()));
}

TEST_CASE("Steps whose keys are alike do not wait for each other") {
  const Place place;
  Store store = place.open(), other = place.open();
  const std::string digits(14, 'a');  // one less than what tells keys apart
  const auto key = [&](char digit) { return "sha256:" + digits + digit + std::string(49, '0'); };
  const auto held = store.lock_step(key('1'), {});
  std::stop_source stop;
  stop.request_stop();
  CHECK(store.lock_step(key('2'), stop.get_token()));
  CHECK(other.lock_step(key('2'), stop.get_token()));
  CHECK_THROWS_AS(other.lock_step(key('1'), stop.get_token()), Cancelled);
}

TEST_CASE("A cache mount's lock is that of its id") {
  const Place place;
  Store store = place.open();
  const auto held = store.lock_cache_mount("a/b", {});
  CHECK_FALSE(store.try_lock_cache_mount("a/b"));
  CHECK(store.try_lock_cache_mount("a_b"));
  CHECK(store.cache_mount_path("a/b") != store.cache_mount_path("a_b"));
}

// ---- Crashes and strangers ----

namespace {

// Adds a row of each kind in a store of boot `one`.
void add_rows(Store& store) {
  put_layer(store, "layer");
  store.add_record({.content_key = "sha256:k", .layers = {"layer"}});
  store.add_definition("sha256:d", "sha256:i", "sha256:k");
  put_serialisation(store, {.layer_id = "layer", .compression = "none"}, "blob");
  store.add_download("https://x", {.digest = "sha256:x"});
}

std::size_t rows_found(Store& store) {
  return std::size_t{store.find_layer("layer").has_value()} + std::size_t{store.find_record("sha256:k").has_value()} +
         std::size_t{store.find_definition("sha256:d", "sha256:i").has_value()} +
         std::size_t{store.find_serialisation({.layer_id = "layer", .compression = "none"}).has_value()} +
         std::size_t{store.find_download("https://x").has_value()};
}

}  // namespace

TEST_CASE("Rows stay while the machine runs") {
  const Place place;
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
  {
    Store store = place.open();
    add_rows(store);
  }
  Store store = place.open();
  CHECK(rows_found(store) == 5);
}

TEST_CASE("Rows that were not made durable go with the boot that added them") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    add_rows(store);
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(rows_found(store) == 0);
}

TEST_CASE("Blobs that are newer than the last sync go with the boot, older ones stay") {
  const Place place;
  const auto blob = [](Store& store, const Digest& digest) {
    write_file_atomically(store.blob_path(digest), "blob");
    store.added_blob();
  };
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    blob(store, k_one);
    CHECK(store.has_volatile_rows());
    store.make_durable();
    blob(store, k_two);
    CHECK(place.open().use_blob(k_two));
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(store.use_blob(k_one));
  CHECK_FALSE(store.use_blob(k_two));
}

TEST_CASE("Durable rows outlive the boot that added them") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    add_rows(store);
    store.make_durable();
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK(rows_found(store) == 5);
}

TEST_CASE("What is learnt of files and durations outlives a boot: it is checked against the files") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    store.remember_duration("sha256:s", 5);
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  CHECK(place.open().expected_duration_ms("sha256:s") == 5);
}

TEST_CASE("A store knows whether it added rows that a power cut could take") {
  const Place place;
  Store store = place.open();
  CHECK_FALSE(store.has_volatile_rows());
  store.remember_duration("sha256:s", 5);
  CHECK_FALSE(store.has_volatile_rows());
  put_layer(store, "one");
  CHECK(store.has_volatile_rows());
}

TEST_CASE("An index that is no database is set aside, and the store starts empty") {
  const Place place;
  {
    Store store = place.open();
    put_layer(store, "one");
  }
  for (const char* file : {"store/index.db-wal", "store/index.db-shm"}) std::filesystem::remove(place.directory / file);
  write_file_atomically(place.index(), std::string(8192, 'x'));
  Store store = place.open();
  CHECK_FALSE(store.find_layer("one"));
  put_layer(store, "two");
  CHECK(store.find_layer("two"));
  REQUIRE(set_aside(place).size() == 1);
  CHECK(read_file(set_aside(place)[0]) == std::string(8192, 'x'));
}

TEST_CASE("An index that a power cut damaged is set aside at the next boot") {
  const Place place;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store = place.open();
    put_layer(store, "one");
    store.make_durable();
  }
  damage_behind_first_page(place.index());
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store = place.open();
  CHECK_FALSE(store.find_layer("one"));
  CHECK(set_aside(place).size() == 1);
}

TEST_CASE("A store of another owner is refused") {
  const Place place;
  place.open();
  write_file_atomically(place.directory / "store/VERSION", fmt::format("mbuild store 1\nowner {}\n", ::geteuid() + 1));
  CHECK(error_of([&] { place.open(); }).starts_with("4 the store "));
}

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) < 0 ? 0 : status.st_mode & 07777;
}

// What others may do with the files of a store: "" when nothing.
std::string open_to_others(const std::string& root) {
  std::string found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    if ((mode_of(entry.path()) & 077) != 0) found += entry.path().filename().string() + " ";
  }
  return found;
}

// A list that gives the user 1 everything and others nothing, as the kernel takes it.
bool set_default_list(const std::string& directory) {
  const std::uint32_t none = 0xffffffff;
  const std::uint32_t entries[][3] = {{1, 7, none}, {2, 7, 1}, {4, 5, none}, {16, 7, none}, {32, 0, none}};
  std::string value = {2, 0, 0, 0};
  for (const auto& [tag, permissions, id] : entries) {
    for (const auto number : {tag, permissions}) value += {static_cast<char>(number), 0};
    value.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  return ::setxattr(directory.c_str(), "system.posix_acl_default", value.data(), value.size(), 0) == 0;
}

}  // namespace

TEST_CASE("A store is private, whatever it was and whatever the umask is") {
  const Place place;
  const std::string root = place.directory / "store";
  make_directories(root, 0755);
  const mode_t before = ::umask(0);
  {
    Store store = place.open();
    const auto locked = store.lock_step(k_one, {});
    const BuildDirectory build(store);
    CHECK(mode_of(root) == 0700);
    CHECK(open_to_others(root) == "");
  }
  for (const char* name : {"", "/VERSION", "/index.db"}) ::chmod((root + name).c_str(), 0755);
  place.open();
  ::umask(before);
  CHECK(mode_of(root) == 0700);
  CHECK(open_to_others(root) == "");
}

TEST_CASE("A store's directory of another user is refused") {
  NEEDS(::geteuid() == 0, "root");
  const Place place;
  const std::string root = place.directory / "store";
  make_directories(root, 0777);
  REQUIRE(::chown(root.c_str(), 1, 1) == 0);
  CHECK(error_of([&] { place.open(); }).find("belongs to the user 1") != std::string::npos);
  CHECK(std::filesystem::is_empty(root));
}

TEST_CASE("What a store's parent hands down does not reach what is made in the store") {
  const Place place;
  const std::string parent = place.directory / "parent";
  make_directories(parent, 0755);
  if (::geteuid() == 0) REQUIRE(::chown(parent.c_str(), 0, 33) == 0);
  ::chmod(parent.c_str(), 02775);
  set_default_list(parent);
  const bool is_old = GENERATE(false, true);
  // One that was made without looking at its parent.
  if (is_old) make_directories(parent + "/store/fs/map/work", 0755);
  Store store(parent + "/store", "map");
  const BuildDirectory build(store);
  for (const auto& path : {store.work_directory(), store.layers_directory(), build.path(), store.locks_directory()}) {
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(status.st_gid == ::getegid());
    CHECK((status.st_mode & 07000) == 0);
    CHECK(::getxattr(path.c_str(), "system.posix_acl_default", nullptr, 0) < 0);
    CHECK(::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) < 0);
  }
}

TEST_CASE("A store of another format is refused and left as it is") {
  const Place place;
  const std::string version = fmt::format("mbuild store 999\nowner {}\n", ::geteuid());
  make_directories(place.directory / "store");
  write_file_atomically(place.directory / "store/VERSION", version);
  const auto error = error_of([&] { place.open(); });
  CHECK(error.find("mbuild store 999") != std::string::npos);
  CHECK(read_file(place.directory / "store/VERSION") == version);
  CHECK_FALSE(path_exists(place.index()));
}

TEST_CASE("Two stores of one place see each other's rows") {
  const Place place;
  Store first = place.open(), second = place.open();
  put_layer(first, "one");
  CHECK(second.find_layer("one"));
}

TEST_CASE("A store that another build is making is no directory of others") {
  const Place place;
  make_directories(place.directory / "store");
  write_file_atomically(place.directory / "store/VERSION.0badcafe.partial", "mbu");
  CHECK(error_of([&] { place.open(); }).empty());
}

TEST_CASE("Many threads may open a new store at once") {
  const Place place;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Store store = place.open();
        put_layer(store, std::to_string(t));
      });
    }
  }
  Store store = place.open();
  for (int t = 0; t < 4; ++t) CHECK(store.find_layer(std::to_string(t)));
}

// ---- Directories of builds ----

TEST_CASE("The directory of a build that is alive is not abandoned") {
  const Place place;
  Store store = place.open();
  const BuildDirectory first(store), second(store);
  CHECK(path_exists(first.path()));
  CHECK(first.path() != second.path());
  CHECK(abandoned_build_directories(store).empty());
}

TEST_CASE("The directory of a build that ended is found, and its lock is gone") {
  const Place place;
  Store store = place.open();
  std::string path;
  {
    const BuildDirectory directory(store);
    path = directory.path();
  }
  CHECK(abandoned_build_directories(store) == std::vector<std::string>{path});
  for (const auto& entry : std::filesystem::directory_iterator(store.locks_directory())) {
    CHECK_FALSE(entry.path().filename().string().starts_with("build-"));
  }
}

namespace {

[[noreturn]] void build_until_killed(const Store& store, int ready) noexcept {
  const BuildDirectory directory(store);
  write_all(ready, directory.path());
  ::close(ready);
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("The directory of a build that was killed is found once its process is dead") {
  const Place place;
  const Store store = place.open();
  Pipe ready = make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) build_until_killed(store, ready.write.get());
  ready.write.reset();
  const std::string path = read_all(ready.read.get());
  CHECK(abandoned_build_directories(store).empty());
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  CHECK(abandoned_build_directories(store) == std::vector<std::string>{path});
}
