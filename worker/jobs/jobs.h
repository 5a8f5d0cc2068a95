#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "emu/audit.h"
#include "files/select.h"
#include "graph/graph.h"
#include "image/exporters.h"
#include "layers/serialise.h"
#include "worker/inner/inner.h"
#include "worker/sandbox/sandbox.h"
#include "worker/snapshot/snapshot_mount.h"

// The operations of the inner process: all work on files below fs/ of the store is done by one of these. A function
// here runs its operation in a process of its own and waits; it may be called from any thread of the outer process. All
// throw what the operation throws, and Cancelled.
namespace mbuild::executor::jobs {

// Makes the operations known; in the main of the program, before inner_main.
void register_all();

// What was copied in place of what a request said, since files of the user had changed.
struct NewSelection {
  std::uint64_t action = 0;  // its index
  Selection selection;       // entries only, with the digests of their contents
};

// A new layer, already under its final name.
struct NewLayer {
  Digest result_digest;
  std::uint64_t bytes = 0, files = 0;
  std::int64_t newest_mtime = 0;
  std::vector<std::string> implied;
  std::vector<NewSelection> read_anew;
};

struct UnpackRequest {
  std::string media_type;
  Digest digest, diff_id;
  std::uint64_t size = 0;
  bool summarise = false;                // the reply's result digest is that of what was unpacked, else the diff id
  std::string work;                      // a path for the directory in progress
  std::string final_path;                // its name when complete,
  std::string final_path_on_lowers;      // or this one when hard links into lower layers were resolved
  std::vector<std::string> lower_paths;  // top first
  bool without_lowers = false;           // they are not there yet: nothing is made where one turns out to be needed
  image::OwnerMode owners = image::OwnerMode::real;
  std::vector<platforms::Platform> audit_for;  // platforms whose images may have the layer
};
struct UnpackReply {
  NewLayer layer;
  std::vector<std::vector<emu::AuditFinding>> findings;  // one list a platform of audit_for, only the first of many
  bool depends_on_lowers = false;
  bool needs_lowers = false;  // nothing was made
};
// An empty `digest` is not checked, as that of a blob which is verified by whoever gives it. The layer has its final
// name only once its diff id is right.
UnpackReply unpack(Inner& inner, const UnpackRequest& request, int blob, std::stop_token stop);

// A directory of RUN --mount=type=cache, made when it is missing.
struct CacheDirectory {
  std::string path;
  std::uint32_t uid = 0, gid = 0, mode = 0755;
};

struct RunRequest {
  SandboxSpec spec;                                   // its descriptors are handed over
  std::string work;                                   // an existing directory; upper, work and scratch are made in it
  std::string final_path;                             // of the layer
  std::optional<platforms::Platform> check_platform;  // what it is about to execute is read before, for this platform
  std::vector<CacheDirectory> cache_directories;
  image::OwnerMode owners = image::OwnerMode::real;
  // Of a program that is root of the host: how the ids of the files below `store` are to be seen. Empty: as they are.
  std::string store;
  std::vector<IdRange> store_uids, store_gids;
};
struct RunReply {
  SandboxResult result;
  NewLayer layer;
};
RunReply run(Inner& inner, const RunRequest& request, std::stop_token stop);

// The network of a build, which lasts as long as the job: see build_network.h.
struct NetworkRequest {
  std::string pasta;  // the programs' paths, "" where they are missing
  std::string slirp4netns;
  bool caller_is_root = false;  // it can start them where this user namespace may not open /dev/net/tun
};
enum class NetworkKind {
  pasta,
  slirp4netns,
  loopback,  // the host has no way out either
  host,      // none could be made: there is no namespace
};
struct NetworkReply {
  NetworkKind kind = NetworkKind::host;
  std::string resolv_conf;  // of the steps in it
  std::string problem;      // why it is not the first kind, "" when it is
  std::string advice;
};

// What a copy reads from: a snapshot, or a directory of the user whose selection was made outside.
struct CopySource {
  std::optional<Stack> stack;
  int directory = -1;                          // handed over
  std::shared_ptr<const Selection> selection;  // of the directory: entries only; its tree is made anew
};

struct FilesRequest {
  Stack base;
  std::vector<graph::FileAction> actions;
  std::vector<CopySource> sources;  // one an action; neither: not a copy
  std::string work;                 // an existing directory
  std::string final_path;           // apply only
  image::OwnerMode owners = image::OwnerMode::real;
  // Apply only: the layer that an earlier run of this step made, and where the contents of its files are listed; ""
  // where there is none. Where those of the new layer go; "": nowhere.
  std::string older_path, older_contents, contents_path;
};
struct ProbeReply {
  Digest digest;
  bool complete = true;
  std::vector<Digest> selections;  // of the snapshot sources; "" for others
};
// What the outcome depends on, without making it.
ProbeReply probe_files(Inner& inner, const FilesRequest& request, std::stop_token stop);
struct ProbedLayer {
  ProbeReply probe;  // with an empty digest: what would be found is not known, since files had changed
  NewLayer layer;
};
// Probes only what it must know to unpack archives that had changed.
ProbedLayer apply_files(Inner& inner, const FilesRequest& request, std::stop_token stop);
// Both at once.
ProbedLayer probe_and_apply_files(Inner& inner, const FilesRequest& request, std::stop_token stop);

// Digest of what a bind mount of `selector` of the snapshot shows.
struct DigestRequest {
  Stack stack;
  std::string selector;
  std::string work;
  image::OwnerMode owners = image::OwnerMode::real;
};
Digest digest_tree(Inner& inner, const DigestRequest& request, std::stop_token stop);

// What a copy action takes from a directory of the user, some of whose files only the inner process may read (mode
// 0000).
struct SelectRequest {
  std::vector<std::string> ignore;  // .dockerignore patterns
  graph::FileAction action;
};
struct SelectReply {
  Selection selection;  // entries only
  Digest digest;
};
SelectReply select_files(Inner& inner, const SelectRequest& request, int directory, std::stop_token stop);

struct SerialiseRequest {
  std::string path;  // of the layer
  std::vector<std::string> implied;
  std::optional<std::int64_t> clamp_mtime;
  image::Compression compression = image::Compression::gzip;
  std::optional<int> level;
  image::OwnerMode owners = image::OwnerMode::real;
  std::vector<platforms::Platform> audit_for;  // platforms of the images that get the layer
};
struct SerialiseReply {
  image::Serialisation serialisation;
  std::vector<std::vector<emu::AuditFinding>> findings;  // one list a platform of audit_for
};
SerialiseReply serialise(Inner& inner, const SerialiseRequest& request, int out, std::stop_token stop);

// What the audit found in layers, asked about the image that they make.
struct AuditQuestion {
  std::string path;         // of a file,
  std::uint64_t layer = 0;  // of the layer with this index
  std::string interpreter;  // "": nothing but whether the file is seen
};
struct AuditRequest {
  std::vector<std::string> layers;  // top first; "": a layer that is not there
  std::vector<AuditQuestion> questions;
};
// For each question whether the image shows that file of that layer, and not its interpreter.
std::vector<bool> audit(Inner& inner, const AuditRequest& request, std::stop_token stop);

struct TreeExport {
  platforms::Platform platform;
  std::string subdirectory;
  Stack stack;
};
struct ExportRequest {
  std::vector<TreeExport> trees;
  std::string destination;  // directory; "": a tar to the descriptor
  bool remove_others = false;
  std::optional<std::int64_t> clamp_mtime;
  image::OwnerMode owners = image::OwnerMode::real;
  std::string work;
};
void export_trees(Inner& inner, const ExportRequest& request, int out, std::stop_token stop);

// Merges layers into one directory, a flattened run (flatten.h). The result has no digest and no newest_mtime.
struct FlattenRequest {
  Stack stack, below;
  std::string work;  // a path for the directory in progress
  std::string final_path;
};
NewLayer flatten(Inner& inner, const FlattenRequest& request, std::stop_token stop);

// The bytes on disk of each path and all below it, 0 for one that is not there; a file with several names counts once.
std::vector<std::uint64_t> measure(Inner& inner, const std::vector<std::string>& paths, std::stop_token stop);

// Puts the directory `fresh` in the place of `kept`, and what was there, if anything, at `aside`.
struct ReplaceRequest {
  std::string fresh, kept, aside;
};
void replace(Inner& inner, const ReplaceRequest& request, std::stop_token stop);

// Removes files and directories with all they hold.
void remove(Inner& inner, const std::vector<std::string>& paths, std::stop_token stop);

}  // namespace mbuild::executor::jobs
