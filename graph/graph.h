#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "graph/source.h"
#include "platforms/platform.h"

// The build graph. Nodes have the shape of BuildKit's LLB (solver/pb/ops.proto), with no loss either way.
// All arguments and variables are resolved before a node is made.
namespace mbuild::graph {

using NodeId = std::uint32_t;  // index into Graph::nodes

// One output of a node.
struct Ref {
  NodeId node = 0;
  std::uint32_t output = 0;
  auto operator<=>(const Ref&) const = default;
};

enum class MountKind { bind, cache, tmpfs, secret, ssh };
enum class CacheSharing { shared, priv, locked };

struct Mount {
  MountKind kind = MountKind::bind;
  std::string target;       // absolute; "/" is the root file system
  std::int32_t input = -1;  // index into Node::inputs; -1: empty
  std::string selector;     // path within the input ("" is its root)
  bool read_only = false;
  std::optional<std::uint32_t> output;  // output index; none: writes are dropped
  std::string id;                       // cache id, secret id, ssh id
  CacheSharing sharing = CacheSharing::shared;
  bool required = false;  // secret, ssh
  std::string lender;     // secret, ssh: the target whose it is, where others mean something else by the id
  std::string env;        // secret: environment variable instead of (or beside) a file
  bool as_file = true;    // secret: mount the file
  std::optional<std::uint32_t> uid, gid, mode;
  std::uint64_t size = 0;  // tmpfs: bytes, 0 is unlimited
};

enum class NetworkMode { standard, none, host };
enum class SecurityMode { sandbox, insecure };

struct Ulimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
  auto operator<=>(const Ulimit&) const = default;
};

struct ExecOp {
  std::vector<std::string> argv;
  std::vector<std::string> env;        // "NAME=value", in order
  std::vector<std::string> proxy_env;  // not in the key
  std::string cwd = "/";
  std::string user;  // as written; resolved in the root file system
  NetworkMode network = NetworkMode::standard;
  SecurityMode security = SecurityMode::sandbox;
  std::string hostname;                                          // "" is the default
  std::vector<std::pair<std::string, std::string>> extra_hosts;  // name, address (the address is not in the key)
  std::vector<Ulimit> ulimits;
  std::uint64_t shm_size = 0;  // bytes, 0 is the default (64 MiB)
  std::string cgroup_parent;
  std::vector<std::string> devices;
  std::vector<Mount> mounts;  // mounts[0] is "/"
};

enum class FileActionKind { copy, mkfile, mkdir, rm, symlink };

struct FileAction {
  FileActionKind kind = FileActionKind::copy;
  // Operands: an index into Node::inputs; inputs.size() + k is the result of action k; -1 is empty (scratch).
  std::int32_t input = -1;              // what is changed
  std::int32_t secondary = -1;          // copy: what is read
  std::optional<std::uint32_t> output;  // output index of the node, when this action's result is one

  std::string source;          // copy: path in `secondary`, wildcards when allow_wildcard; symlink: old path
  std::string destination;     // copy, mkfile, mkdir, rm, symlink (new path); absolute. A trailing '/' of a
                               // copy means "into this directory"
  std::string content;         // mkfile
  std::string owner;           // "" keep; else "user[:group]", names or numbers, as written
  std::string mode;            // "" keep; octal or symbolic
  bool make_parents = false;   // mkdir, copy
  bool follow_symlink = true;  // copy: a source that is a link is followed
  bool contents_only = true;   // copy: of a directory source the contents go in
  bool unpack = false;         // copy: an archive (recognised by content) is unpacked
  bool allow_wildcard = true;
  bool allow_empty_wildcard = true;
  bool keep_owner = false;                // copy: keep numeric owners of the source (stage or image); else 0:0
  bool parents = false;                   // copy --parents: keep the source path below a "/./" pivot
  std::vector<std::string> exclude;       // copy: .dockerignore patterns relative to each source
  bool allow_not_found = false;           // rm
  std::optional<std::int64_t> timestamp;  // seconds; mtime of what the action makes itself
  bool link = false;                      // COPY --link (names of owners are not resolvable)
};

struct FileOp {
  std::vector<FileAction> actions;
};

struct MergeOp {};  // inputs are stacked in order
struct DiffOp {};   // inputs: lower, upper

// What belongs to a node but not to its identity.
struct NodeInfo {
  std::string name;                   // "[linux/arm64 builder 2/5] RUN make"
  std::string instruction;            // "RUN make": the part after the bracket
  std::string file;                   // Dockerfile name
  int first_line = 0, last_line = 0;  // 1-based; 0: none
  bool ignore_cache = false;
  std::string stage;         // for --no-cache-filter and displays
  std::uint32_t target = 0;  // number of the target that it is for, where several share a graph
  std::string description;
};

struct Node {
  std::variant<SourceOp, ExecOp, FileOp, MergeOp, DiffOp> op;
  std::vector<Ref> inputs;
  std::optional<platforms::Platform> platform;  // for nodes whose result depends on it
};

struct Graph {
  std::vector<Node> nodes;                  // an input's index is always smaller than its user's
  std::vector<Digest> ids;                  // step id of each node
  std::vector<std::vector<NodeInfo>> info;  // one for each time the node was added (merged steps have several)
  std::unordered_map<Digest, NodeId> by_id;

  // Adds a node, or finds the equal one that is there (equal by canonical encoding).
  NodeId add(Node node, NodeInfo node_info);
};

// What the target has to say of a node; of one that is another's, what that has.
const NodeInfo& info_for(const Graph& graph, NodeId id, std::uint32_t target);

// The canonical encoding of a node's kind and parameters without its inputs; what must not be in a key (proxy values,
// secret values, cache ids, extra-host addresses) is left out.
std::string canonical_parameters(const Node& node);
// Step id: digest of the canonical node with the step ids of its inputs. It also tells apart cache ids, and
// directories that have one name.
Digest step_id(const Node& node, const std::vector<Digest>& ids_of_inputs);
// True for an image source, whose result is a snapshot; for a local/http/git source: a plain tree.
bool is_image_source(const Node& node);

}  // namespace mbuild::graph
