#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/codec.h"
#include "base/digest.h"
#include "base/fd.h"
#include "emu/audit.h"
#include "files/select.h"
#include "graph/graph.h"
#include "image/exporters.h"
#include "layers/serialise.h"
#include "worker/ids/id_map.h"
#include "worker/jobs/operation.h"
#include "worker/sandbox/bridge.h"
#include "worker/sandbox/container_files.h"
#include "worker/sandbox/sandbox.h"
#include "worker/snapshot/snapshot_mount.h"

// The operations of the inner process: all work on files below fs/ of the store is done by one of these. See
// operation.h for how each is asked for.
namespace mbuild::executor::jobs {

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
  Fd blob;
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
UnpackReply unpack_job(UnpackRequest request);
inline constexpr Operation<"unpack", unpack_job> unpack;

// A directory of RUN --mount=type=cache, made when it is missing.
struct CacheDirectory {
  std::string path;
  std::uint32_t uid = 0, gid = 0, mode = 0755;
};

struct RunRequest {
  SandboxSpec spec;
  std::string work;                                   // an existing directory; upper, work and scratch are made in it
  std::string final_path;                             // of the layer; "": none is made
  std::string failed_path;                            // where what a program wrote that fails goes; "": it is dropped
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
RunReply run_job(RunRequest request);
inline constexpr Operation<"run", run_job> run;

// Files of a container that does not run. `work` is the `work` of its RunRequest. With a volume, of that alone: the
// order's path is one in it.
struct RestingFilesRequest {
  Stack stack;
  std::string work;
  FileOrder order;
  std::optional<SandboxMount> volume = {};  // of host_directory()
};
FileReply resting_files_job(RestingFilesRequest request);
inline constexpr Operation<"resting-files", resting_files_job> resting_files;

// What a container has changed: paths with "A", "C" or "D" and a space before them, sorted by path.
struct ChangesRequest {
  Stack stack;
  std::string upper;  // what it has written
  std::string work;   // an existing directory
};
std::vector<std::string> changes_job(ChangesRequest request);
inline constexpr Operation<"changes", changes_job> changes;

// The network of a build, which lasts as long as the job: see build_network.h.
struct NetworkRequest {
  Fd report;          // a socket for the NetworkReply
  std::string pasta;  // the programs' paths, "" where they are missing
  std::string slirp4netns;
  bool caller_is_root = false;  // it can start them where this user namespace may not open /dev/net/tun
  // Ports of the host that lead into it, as pasta's -t and -u take them; there is no other network then.
  std::vector<std::string> tcp = {}, udp = {};
  // A network namespace with a bridge that it is to lead to as well, of the same user namespace, and its address there.
  // Without another way out it has this one alone.
  Fd bridge = {};
  BridgeAddress address = {};
  bool closed = false;  // there is to be no other way out
  // pasta has worked here before: what is known of its network beforehand is reported at once (ready), and what was
  // promised so fails instead of falling back to less.
  bool is_proven = false;
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
void network_job(NetworkRequest request);
inline constexpr Operation<"network", network_job> network;

// Makes a namespace with a bridge. By the socket come two descriptors, by which it stays when the job has ended: of the
// user namespace and of the network namespace (ready).
struct BridgeRequest {
  Fd report;
};
void bridge_job(BridgeRequest request);
inline constexpr Operation<"bridge", bridge_job> bridge;

// What a copy reads from: a snapshot, or a directory of the user whose selection was made outside.
struct CopySource {
  std::optional<Stack> stack;
  Fd directory;
  Lent<Selection> selection;  // of the directory: entries only; its tree is made anew
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
ProbeReply probe_files_job(FilesRequest request);
inline constexpr Operation<"probe-files", probe_files_job> probe_files;
struct ProbedLayer {
  ProbeReply probe;  // with an empty digest: what would be found is not known, since files had changed
  NewLayer layer;
};
// Probes only what it must know to unpack archives that had changed.
ProbedLayer apply_files_job(FilesRequest request);
inline constexpr Operation<"apply-files", apply_files_job> apply_files;
// Both at once.
ProbedLayer probe_and_apply_files_job(FilesRequest request);
inline constexpr Operation<"probe-and-apply-files", probe_and_apply_files_job> probe_and_apply_files;

// Digest of what a bind mount of `selector` of the snapshot shows.
struct DigestRequest {
  Stack stack;
  std::string selector;
  std::string work;
  image::OwnerMode owners = image::OwnerMode::real;
};
Digest digest_tree_job(DigestRequest request);
inline constexpr Operation<"digest-tree", digest_tree_job> digest_tree;

// What a copy action takes from a directory of the user, some of whose files only the inner process may read (mode
// 0000).
struct SelectRequest {
  std::vector<std::string> ignore;  // .dockerignore patterns
  graph::FileAction action;
  Fd directory;
};
struct SelectReply {
  Selection selection;  // entries only
  Digest digest;
};
SelectReply select_files_job(SelectRequest request);
inline constexpr Operation<"select-files", select_files_job> select_files;

struct SerialiseRequest {
  Fd out;
  std::string path;  // of the layer
  std::vector<std::string> implied;
  std::optional<std::int64_t> clamp_mtime;
  image::Compression compression = image::Compression::gzip;
  std::optional<int> level;
  image::OwnerMode owners = image::OwnerMode::real;
  std::vector<platforms::Platform> audit_for;  // platforms of the images that get the layer
  bool without_nodes = false;  // nobody has looked whether its device nodes are what they say: none may be there
};
struct SerialiseReply {
  image::Serialisation serialisation;
  std::vector<std::vector<emu::AuditFinding>> findings;  // one list a platform of audit_for
};
SerialiseReply serialise_job(SerialiseRequest request);
inline constexpr Operation<"serialise", serialise_job> serialise;

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
std::vector<bool> audit_job(AuditRequest request);
inline constexpr Operation<"audit", audit_job> audit;

struct TreeExport {
  platforms::Platform platform;
  std::string subdirectory;
  Stack stack;
};
struct ExportRequest {
  std::vector<TreeExport> trees;
  std::string destination;  // directory; "": a tar to `out`
  Fd out;
  bool remove_others = false;
  std::optional<std::int64_t> clamp_mtime;
  image::OwnerMode owners = image::OwnerMode::real;
  std::string work;
};
void export_trees_job(ExportRequest request);
inline constexpr Operation<"export", export_trees_job> export_trees;

// Merges layers into one directory, a bundle (flatten.h). The result has no digest and no newest_mtime.
struct FlattenRequest {
  Stack stack, below;
  std::string work;  // a path for the directory in progress
  std::string final_path;
};
NewLayer flatten_job(FlattenRequest request);
inline constexpr Operation<"flatten", flatten_job> flatten;

// Whether layers with the same result digest have the same times where those were set (layers/set_times.h).
struct LayerTimes {
  std::string path;
  std::vector<std::string> implied;
};
struct SetTimesRequest {
  LayerTimes one, other;
  image::OwnerMode owners = image::OwnerMode::real;
};
bool same_set_times_job(SetTimesRequest request);
inline constexpr Operation<"same-set-times", same_set_times_job> same_set_times;

// The bytes on disk of each path and all below it, 0 for one that is not there; a file with several names counts once.
std::vector<std::uint64_t> measure_job(std::vector<std::string> paths);
inline constexpr Operation<"measure", measure_job> measure;

// Puts the directory `fresh` in the place of `kept`, and what was there, if anything, at `aside`.
struct ReplaceRequest {
  std::string fresh, kept, aside;
};
void replace_job(ReplaceRequest request);
inline constexpr Operation<"replace", replace_job> replace;

// Removes files and directories with all they hold.
void remove_job(std::vector<std::string> paths);
inline constexpr Operation<"remove", remove_job> remove;

}  // namespace mbuild::executor::jobs
