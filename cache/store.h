#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "cache/database.h"
#include "cache/locks.h"
#include "cache/store_items.h"

// All that mbuild keeps on disk. docs/formats.md describes the files and tables; docs/design.md section 6 the rules.
namespace mbuild::cache {

// One unpacked layer. `id` names its directory; three identities are never mixed: the id, the result digest (what is in
// it), and the diff id (a property of one serialisation of it).
struct Layer {
  std::string id;
  Digest result_digest;
  bool pulled = false;  // result_digest is then the diff id
  std::uint64_t bytes = 0, files = 0;
  std::int64_t newest_mtime = 0;     // seconds since 1970
  std::vector<std::string> implied;  // directories that are there but are no entries of the layer
};

// The id of the directory of a bundle: into it layers were merged (worker/snapshot/flatten.h); `key` names those
// layers. A row of layers like any other, but no result of a step.
std::string bundle_id(const Digest& key);

// What running a step gave.
struct StepRecord {
  Digest content_key;
  std::vector<std::string> layers;  // one layer id an output; "" is an output that changed nothing
  std::int64_t created = 0;         // seconds since 1970: when the step ran
  std::int64_t duration_ms = 0;
  std::string emulator;  // name and version, "" when native
  std::string name;
};

// A serialisation of a layer: its tar, compressed.
struct SerialisationKey {
  std::string layer_id;
  std::string compression;  // "gzip", "zstd", "none"
  int level = -1;           // -1 is the default
  std::optional<std::int64_t> clamp_mtime;
};
struct Serialisation {
  Digest diff_id, digest;
  std::uint64_t size = 0;
};

// A file that was had from a server, and what to ask the server with whether it is still the same.
struct DownloadRecord {
  std::string etag, last_modified;  // as the server wrote them
  std::int64_t mtime = 0;           // seconds since 1970
  Digest digest;
  std::string layer_id;  // the layer that holds it, alone
};

// What a step read when it was last looked up, for the question why it runs now. `place` says where in the Dockerfile
// it is, `inputs` is the asker's.
struct SeenStep {
  std::string place;
  Digest key;
  std::string inputs;
};

// An image that the user keeps in the store, by name.
struct StoredImage {
  std::string name;        // normalised reference, or the digest of an image without one
  std::string media_type;  // of the manifest or index
  Digest digest;
  std::uint64_t size = 0;     // of the manifest or index
  std::string platforms;      // "linux/amd64,linux/arm64"
  std::int64_t created = 0;   // seconds since 1970: when it was stored
  std::vector<Digest> blobs;  // all that it consists of, manifests and configs included
  std::uint64_t bytes = 0;    // of all blobs
};

struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  auto operator<=>(const FileStamp&) const = default;
};

class Store {
 public:
  // What it is opened for. `cleaning` goes without space on the disk, and keeps others out of the index where there is
  // none.
  enum class Purpose { building, cleaning };

  // Opens the store at `root`, making it when absent. `map` names the effective id map (a digest's hex). Throws Error
  // (store): another owner, another format, a network file system, no space.
  Store(const std::string& root, const std::string& map, Purpose purpose = Purpose::building);

  const std::string& root() const { return root_; }
  std::string blob_path(std::string_view digest) const;
  std::string layers_directory() const { return fs_ + "/layers"; }
  std::string layer_path(std::string_view id) const;
  // A list of what is known of the files in a layer. It may be missing.
  std::string contents_path(std::string_view layer_id) const;
  // A directory for copies of emulators (emu/accel/inject.h), each in one of its own; it may be missing.
  std::string emulators_path() const { return emulators_path(root_); }
  static std::string emulators_path(const std::string& root) { return root + "/emulators"; }
  // A file of worker/jobs/network_proof.h; it may be missing.
  std::string network_proof_path() const { return root_ + "/network"; }
  std::string cache_mount_path(std::string_view id) const;
  std::string work_directory() const { return fs_ + "/work"; }
  std::string locks_directory() const { return root_ + "/locks"; }

  // Whatever a look-up finds is held from then on, until the builds end that run now: see store_items.cc. Rows whose
  // directory is gone are misses.
  std::optional<Layer> find_layer(std::string_view id);
  std::optional<Layer> find_layer_by_result(const Digest& result_digest);
  void add_layer(const Layer& layer);

  std::optional<StepRecord> find_record(const Digest& content_key);
  void add_record(const StepRecord& record);
  // The content key that a step with this definition key had when its inputs were `inputs`.
  std::optional<Digest> find_definition(const Digest& definition_key, const Digest& inputs);
  // The layer that the step with this definition key made when it was last used, whatever its inputs were then.
  std::optional<std::string> latest_layer_of(const Digest& definition_key);
  void add_definition(const Digest& definition_key, const Digest& inputs, const Digest& content_key);

  // Whether a partial key was added in the last 30 days: what a content key is made of as far as it is known without
  // reading a snapshot. Where it was not, a record of such a content key is unlikely; where it was, there may be one.
  bool knows_partial_key(const Digest& key);
  void add_partial_key(const Digest& key);

  std::optional<Serialisation> find_serialisation(const SerialisationKey& key);
  void add_serialisation(const SerialisationKey& key, const Serialisation& value);

  // What the architecture audit found in a layer for a platform; the text is the auditor's.
  std::optional<std::string> find_audit(std::string_view layer_id, std::string_view platform);
  void add_audit(std::string_view layer_id, std::string_view platform, std::string_view findings);

  std::optional<DownloadRecord> find_download(const std::string& url);
  void add_download(const std::string& url, const DownloadRecord& record);

  // Content digests of files of the user, by what tells one version of a file from another; in the order asked.
  std::vector<std::optional<Digest>> find_file_digests(std::span<const FileStamp> stamps);
  void add_file_digests(const std::vector<std::pair<FileStamp, Digest>>& digests);

  // The steps that were last seen of a build (a context with a Dockerfile), without their inputs; their inputs; and
  // those that have changed. Steps of builds that nobody ran for a month are forgotten.
  std::vector<SeenStep> seen_steps(const Digest& build);
  std::string seen_inputs(const Digest& build, std::string_view place);
  void remember_steps(const Digest& build, const std::vector<SeenStep>& changed);

  std::optional<std::int64_t> expected_duration_ms(const Digest& key);
  void remember_duration(const Digest& key, std::int64_t milliseconds);

  // Images by name; a stored name is replaced. Their blobs are in blobs/ and stay as long as an image names them.
  void add_image(const StoredImage& image);
  std::optional<StoredImage> find_image(std::string_view name);
  std::vector<StoredImage> images();
  bool remove_image(std::string_view name);  // false: there is none of that name

  // Held while a step with this key runs, so that two builds that need it run it once.
  FileLock lock_step(const Digest& key, std::stop_token stop);
  // Held while a layer is unpacked. May be taken under a step's lock, never the other way round.
  FileLock lock_layer(const Digest& diff_id, std::stop_token stop);
  // Held while a RUN uses a cache mount that is not shared.
  FileLock lock_cache_mount(std::string_view id, std::stop_token stop);
  FileLock try_lock_cache_mount(std::string_view id);

  // True when the store has the blob, which is held then like what a look-up finds. One that has not the size that it
  // should have, where that is known, is removed.
  bool use_blob(std::string_view digest, std::optional<std::uint64_t> size = {});
  // False, and it is removed, when what the store has under this name is something else. Reads all of it.
  bool verify_blob(const Digest& digest);
  // Removes those among the blobs that were used by this process that are damaged; how many.
  std::size_t remove_damaged_blobs();
  // To be called when a blob without a row that names it has got its final name: it is not durable yet.
  void added_blob() { added_rows_ = true; }
  // Before a RUN gets a cache mount: holds it, made already or not.
  void use_cache_mount(std::string_view id);
  // A path for the old directory of a cache mount that is replaced by a new one; builds that run now may still use it.
  std::string retire_cache_mount(std::string_view id);
  // Directories of replaced cache mounts that no build can use any more, to be deleted.
  std::vector<std::string> take_retired();

  // What the store holds, with sizes as far as the index knows them.
  std::vector<StoreItem> items();
  // Removes an item, the rows first, unless a running build has come to use it. What is left to delete: a directory,
  // "" for nothing; no value when the item stays.
  std::optional<std::string> remove_item(const StoreItem& item);
  // After items were removed: rows that lead to nothing.
  void remove_dangling_rows();
  // Directories that no row leads to and no running build can be about to write one for, ready to be deleted.
  std::vector<std::string> take_garbage();

  // True when the index turned out to be damaged, whoever heard of it. See set_index_aside().
  bool index_is_damaged() const { return database_->found_damage(); }
  // Sets a damaged index aside and begins an empty one. Nobody else may use the store at the moment.
  void replace_index();

  // True when rows or blobs were added that a power cut could still take.
  bool has_volatile_rows() const { return added_rows_; }
  // syncfs, then marks all rows of this boot as durable. Slow; for a detached process.
  void make_durable();

 private:
  void prepare_directories();
  void open_index(Purpose purpose);
  void connect(const std::string& path, Database::Sharing sharing);
  void connect_without_space(const std::string& path);
  void bring_up_to_date();
  std::optional<std::string> remove_item(const StoreItem& item, bool rows_too);
  std::set<std::string> held_by_containers() const;
  std::vector<StoreItem> nameless_items(const std::set<std::string>& known);
  void remove_blobs_changed_since(std::int64_t time);  // nanoseconds since 1970
  std::vector<StoreItem> layer_items();
  std::vector<StoreItem> blob_items();
  std::vector<StoreItem> mount_items();
  std::vector<StoreItem> emulator_items() const;

  std::string root_, fs_, boot_id_;
  std::unique_ptr<Database> database_;
  std::atomic<bool> added_rows_ = false;  // steps add rows from many threads
  std::mutex used_blobs_lock_;
  std::set<Digest> used_blobs_;
};

// Renames the index of the store at `root` if it is still that file, with what belongs to it, so that whoever opens the
// store next starts with an empty one. Who has it open goes on with it.
void set_index_aside(const std::string& root, std::uint64_t inode);

// Whether there is a store at `root`, be it a damaged one.
bool is_store(const std::string& root);

// A build's own directory below work/, made when it is first asked for, and swept by others once its owner is dead.
// While one of these is there the store is in use.
class BuildDirectory {
 public:
  explicit BuildDirectory(const Store& store);
  ~BuildDirectory();
  BuildDirectory(const BuildDirectory&) = delete;
  BuildDirectory& operator=(const BuildDirectory&) = delete;
  // Thread-safe.
  const std::string& path() const;
  bool is_made() const { return made_; }

 private:
  std::string path_, lock_path_;
  FileLock use_;
  mutable std::mutex mutex_;
  mutable std::atomic<bool> made_ = false;
  mutable FileLock lock_;
};

// When the oldest of the builds began that are in the store at `root`, in nanoseconds since 1970.
std::optional<std::int64_t> oldest_build(const std::string& root);
// True while a build is in the store at `root`.
bool is_in_use(const std::string& root);

// Directories of dead builds below work/: whoever may delete their files removes them.
std::vector<std::string> abandoned_build_directories(const Store& store);

}  // namespace mbuild::cache
