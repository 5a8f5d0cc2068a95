#include "graph/graph.h"

namespace mbuild::graph {
namespace {

// The canonical form. Two nodes are one step if and only if this form of them and of their inputs is the same, in a
// build (two platforms that copy the same files), between builds (the keys of the store) and between machines (caches
// of other builders). So it must be a function of what the node means:
// - it has no names, lines or places of a Dockerfile, no paths or addresses of a host, no values of secrets;
// - an image is its layers: the same layers under another tag, or with another configuration, are the same input;
// - a platform is in it only where the frontend gave the node one, since the result depends on it;
// - inputs are not in it: step ids, definition keys and content keys each add them in their own way.
//
// The encoding is a sequence of length-prefixed fields, each named, so that no two parameter sets share bytes and a
// field that is added later changes the keys of those nodes only that use it (empty and default values are left out).
class Encoder {
 public:
  void text(std::string_view name, std::string_view value) {
    put(name);
    put(value);
  }
  void optional(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void number(std::string_view name, std::int64_t value) {
    if (value != 0) text(name, std::to_string(value));
  }
  void flag(std::string_view name, bool value) {
    if (value) text(name, "1");
  }
  template <class List>
  void list(std::string_view name, const List& values) {
    for (const auto& value : values) text(name, value);
  }
  std::string take() { return std::move(out_); }

 private:
  void put(std::string_view value) {
    out_ += std::to_string(value.size());
    out_ += ':';
    out_ += value;
  }
  std::string out_;
};

void encode(Encoder& out, const SourceOp& op) {
  out.text("kind", "source");
  // An image is its layers, whatever its name and configuration.
  if (!std::holds_alternative<ImageSource>(op)) out.text("identifier", identifier_of(op));
  for (const auto& [name, value] : source_attributes(op)) out.text(name, value);
}

// A shared cache without an id of its own is named by its target, perhaps below a name space. As with BuildKit, this id
// alone is in the key.
bool has_default_id(const Mount& mount) {
  if (mount.kind != MountKind::cache || mount.sharing != CacheSharing::shared) return false;
  return mount.id == mount.target || std::string_view(mount.id).substr(mount.id.find('/') + 1) == mount.target;
}

void encode(Encoder& out, const Mount& mount) {
  out.text("mount", mount.target);
  out.number("kind", static_cast<int>(mount.kind));
  out.number("input", mount.input);
  out.flag("read-only", mount.read_only);
  if (mount.output) out.text("output", std::to_string(*mount.output));
  if (mount.kind == MountKind::bind) out.optional("selector", mount.selector);
  if (mount.kind == MountKind::secret || mount.kind == MountKind::ssh) {
    out.text("id", mount.id);
    out.optional("lender", mount.lender);
    out.optional("env", mount.env);
    out.flag("file", mount.as_file);
    out.flag("required", mount.required);
  }
  if (has_default_id(mount)) out.text("id", mount.id);
  if (mount.uid) out.text("uid", std::to_string(*mount.uid));
  if (mount.gid) out.text("gid", std::to_string(*mount.gid));
  if (mount.mode) out.text("mode", std::to_string(*mount.mode));
  out.number("size", static_cast<std::int64_t>(mount.size));
}

void encode(Encoder& out, const ExecOp& op) {
  out.text("kind", "exec");
  out.list("argv", op.argv);
  out.list("env", op.env);
  out.text("cwd", op.cwd);
  out.optional("user", op.user);
  out.number("network", static_cast<int>(op.network));
  out.number("security", static_cast<int>(op.security));
  out.optional("hostname", op.hostname);
  for (const auto& host : op.extra_hosts) out.text("extra-host", host.first);
  for (const auto& limit : op.ulimits) {
    out.text("ulimit", limit.name + "=" + std::to_string(limit.soft) + ":" + std::to_string(limit.hard));
  }
  out.number("shm-size", static_cast<std::int64_t>(op.shm_size));
  out.optional("cgroup-parent", op.cgroup_parent);
  out.list("device", op.devices);
  for (const auto& mount : op.mounts) encode(out, mount);
}

void encode(Encoder& out, const FileAction& action) {
  out.text("action", std::to_string(static_cast<int>(action.kind)));
  out.text("input", std::to_string(action.input));
  out.text("secondary", std::to_string(action.secondary));
  if (action.output) out.text("output", std::to_string(*action.output));
  out.optional("source", action.source);
  out.text("destination", action.destination);
  out.optional("content", action.content);
  out.optional("owner", action.owner);
  out.optional("mode", action.mode);
  out.flag("make-parents", action.make_parents);
  out.flag("follow-symlink", action.follow_symlink);
  out.flag("contents-only", action.contents_only);
  out.flag("unpack", action.unpack);
  out.flag("allow-wildcard", action.allow_wildcard);
  out.flag("allow-empty-wildcard", action.allow_empty_wildcard);
  out.flag("keep-owner", action.keep_owner);
  out.flag("parents", action.parents);
  out.list("exclude", action.exclude);
  out.flag("allow-not-found", action.allow_not_found);
  if (action.timestamp) out.text("timestamp", std::to_string(*action.timestamp));
  out.flag("link", action.link);
}

void encode(Encoder& out, const FileOp& op) {
  out.text("kind", "file");
  for (const auto& action : op.actions) encode(out, action);
}

void encode(Encoder& out, const MergeOp&) { out.text("kind", "merge"); }
void encode(Encoder& out, const DiffOp&) { out.text("kind", "diff"); }

}  // namespace

std::string canonical_parameters(const Node& node) {
  Encoder out;
  std::visit([&](const auto& op) { encode(out, op); }, node.op);
  if (node.platform) out.text("platform", platforms::to_string(*node.platform));
  return out.take();
}

namespace {

// The source, where its directory tells what it is.
const LocalSource* placed_source(const Node& node) {
  const auto* source = std::get_if<SourceOp>(&node.op);
  const auto* local = source == nullptr ? nullptr : std::get_if<LocalSource>(source);
  return local == nullptr || local->directory.empty() ? nullptr : local;
}

}  // namespace

Digest step_id(const Node& node, const std::vector<Digest>& ids_of_inputs) {
  Sha256 hash;
  if (const auto* local = placed_source(node)) {
    hash.field("directory");
    hash.field(local->directory);
    for (const auto& pattern : local->exclude) hash.field(pattern);
    return hash.digest();
  }
  hash.field(canonical_parameters(node));
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    hash.field(ids_of_inputs[i]);
    hash.number(node.inputs[i].output);
  }
  if (const auto* exec = std::get_if<ExecOp>(&node.op)) {
    for (const auto& mount : exec->mounts) {
      if (mount.kind != MountKind::cache) continue;
      hash.field(mount.id);
      hash.number(static_cast<std::uint64_t>(mount.sharing));
    }
  }
  return hash.digest();
}

NodeId Graph::add(Node node, NodeInfo node_info) {
  std::vector<Digest> inputs;
  for (const auto& input : node.inputs) inputs.push_back(ids[input.node]);
  Digest id = step_id(node, inputs);
  // A step whose cache is to be ignored stays one of its own: it must not be merged with one that may be cached.
  if (node_info.ignore_cache) id = sha256(id + " ignoring the cache");
  if (const auto found = by_id.find(id); found != by_id.end()) {
    info[found->second].push_back(std::move(node_info));
    return found->second;
  }
  const auto index = static_cast<NodeId>(nodes.size());
  nodes.push_back(std::move(node));
  ids.push_back(id);
  info.emplace_back().push_back(std::move(node_info));
  by_id.emplace(std::move(id), index);
  return index;
}

const NodeInfo& info_for(const Graph& graph, NodeId id, std::uint32_t target) {
  for (const auto& info : graph.info[id]) {
    if (info.target == target) return info;
  }
  return graph.info[id].front();
}

bool is_image_source(const Node& node) {
  const auto* source = std::get_if<SourceOp>(&node.op);
  return source != nullptr && std::holds_alternative<ImageSource>(*source);
}

}  // namespace mbuild::graph
