#include "executor/steps/compiler_packs.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "executor/api/compiler_pack.h"
#include "image/image_place.h"
#include "image/oci_layout.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "platforms/platform.h"
#include "worker/layer_directories.h"
#include "worker/native/packages.h"
#include "worker/native/root_files.h"

namespace mbuild::executor {
namespace {

constexpr std::int64_t k_week = 7 * 24 * 3600;

// Only what is built from the same source is worth its download: Debian appends "crossN" to the version of that. What
// the compilers themselves don't need is left out; the file tells that the step has been here. To compile what there is
// no such package of takes too long for a build that nobody asked to: "none gcc-12 VERSION" says that it can be done.
constexpr std::string_view k_script = R"SHELL(set -e
umask 022
mark() {{ rm -rf /var/lib/apt/lists /var/cache/apt; echo "$1" > /usr/share/compiler-pack; }}
apt="apt-get -qq -o APT::Sandbox::User=root"
if ! command -v apt-get > /dev/null; then mark none; exit 0; fi
$apt update
version=$(apt-cache depends gcc | sed -n 's/^ *Depends: gcc-\([0-9]*\)$/\1/p')
candidate() {{ apt-cache policy "$1" | sed -n 's/^  Candidate: //p'; }}
own=$(candidate "gcc-$version") cross=$(candidate "gcc-$version-{0}")
case $cross in
  "$own"cross[0-9]*) ;;
  *)
    [ "$(candidate "gcc-$version-source")" = "$(echo "$own" | sed 's/+b[0-9]*$//')" ] || own=
    mark "none${{own:+ gcc-$version $own}}"
    exit 0 ;;
esac
$apt install -y --no-install-recommends "gcc-$version-{0}" "g++-$version-{0}" "binutils-{0}" \
  make patch bzip2 xz-utils > /dev/null
find /usr/lib/gcc-cross -type f ! -name cc1 ! -name cc1plus ! -name lto1 ! -name liblto_plugin.so -delete \
  2> /dev/null || true
rm -rf /usr/{0} /usr/share/doc /usr/share/man /usr/share/locale /var/log
mark "$(for package in cpp-$version-{0} g++-$version-{0} gcc-$version-{0} binutils-{0}; do
  if v=$(dpkg-query -W -f '${{Version}}' $package 2> /dev/null); then echo "package $package $v"; fi
done)"
)SHELL";

// The version of the package by which packs are found, in a step's root directory.
std::string base_version(const cache::Store& store, const LayerIds& root) {
  for (auto id = root.rbegin(); id != root.rend(); ++id) {
    const Fd layer = open_file(store.layer_path(*id), O_PATH | O_DIRECTORY);
    if (has_package_database(layer.get())) return installed_version(layer.get(), k_pack_base_package);
  }
  return "";
}

// What the file of a layer says that is such a pack.
std::string made_pack_text(const cache::Store& store, const std::string& layer) {
  const Fd root = open_file(store.layer_path(layer), O_PATH | O_DIRECTORY);
  return read_sane(root.get(), std::string(k_pack_facts_path));
}

Error no_pack(std::string why) { return Error(ExitClass::usage, std::move(why)); }

// The directory of a layout that has the tag, "" where it has not.
std::string layout_with(std::string_view place, const std::string& tag) {
  const std::string directory(image::without_layout_word(place));
  if (!path_exists(directory + "/index.json")) throw no_pack("there is no OCI layout");
  const auto entries = image::parse_index(read_file(directory + "/index.json")).manifests;
  const bool has = std::ranges::any_of(entries, [&](const auto& entry) {
    const auto name = entry.annotations.find(std::string(image::k_annotation_ref_name));
    return name != entry.annotations.end() && name->second == tag;
  });
  return has ? directory : "";
}

// A pack of the store as a place, as far as its documents go.
image::ImagePlace place_in_store(cache::Store& store, const cache::StoredImage& kept) {
  image::ImagePlace place;
  place.top = {.media_type = kept.media_type, .digest = kept.digest, .size = kept.size};
  place.read = [&store](const image::Descriptor& document) {
    if (store.use_blob(document.digest)) {
      if (auto bytes = read_file(store.blob_path(document.digest)); sha256(bytes) == document.digest) return bytes;
    }
    throw no_pack("it is damaged");
  };
  return place;
}

}  // namespace

PackFacts made_pack_facts(const cache::Store& store, const std::string& layer) {
  return parse_pack_facts(made_pack_text(store, layer));
}

std::optional<LayerIds> CompilerPacks::find(graph::NodeId id, const LayerIds& root, StepSink& sink,
                                            const std::stop_token& stop) {
  if (pack_triplet(*parts_.graph.nodes[id].platform).empty() || !parts_.workers.is_local(id)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (auto kept = find_kept(id, root, sink, stop)) return kept;
  const auto& op = std::get<graph::ExecOp>(parts_.graph.nodes[id].op);
  return op.network == graph::NetworkMode::none ? std::nullopt : find_made(id, sink, stop);
}

std::optional<LayerIds> CompilerPacks::find_kept(graph::NodeId id, const LayerIds& root, StepSink& sink,
                                                 const std::stop_token& stop) {
  const auto& node = parts_.graph.nodes[id];
  std::string tag;
  try {
    tag = pack_tag(platforms::host_platform(), *node.platform, base_version(parts_.store, root));
  } catch (const Error&) {
    // The step's root can't be read from here.
  }
  if (tag.empty()) return std::nullopt;
  if (const auto known = kept_.find(tag); known != kept_.end()) {
    return known->second ? std::optional(parts_.workers.bring(*known->second, id, stop)) : std::nullopt;
  }
  std::vector<std::string> places = {""};  // the store
  places.insert(places.end(), parts_.session.compiler_packs.begin(), parts_.session.compiler_packs.end());
  for (const auto& place : places) {
    const std::string shown = place.empty() ? fmt::format("{}:{} of the store", k_stored_pack, tag) : place;
    if (passed_over_.contains(place)) continue;
    std::vector<Digest> added;
    try {
      auto found = read_from(place, tag, node, added, stop);
      if (!found) continue;
      auto layers = parts_.workers.bring(*found, id, stop);
      kept_[tag] = std::move(found);
      sink.log(2, fmt::format("accel: compilers of the pack {} ({})\n", tag, place.empty() ? "the store" : place));
      return layers;
    } catch (const Error& error) {
      passed_over_.insert(place);
      for (const auto& diff_id : added) parts_.images.drop_layer(diff_id);
      parts_.warn(fmt::format("the compiler pack {} is passed over: {}", shown, error.what()));
    }
  }
  kept_[tag] = std::nullopt;
  return std::nullopt;
}

// Only the documents are read here; layers are fetched and verified like those of any image.
std::optional<Snapshot> CompilerPacks::read_from(const std::string& place, const std::string& tag,
                                                 const graph::Node& node, std::vector<Digest>& added,
                                                 const std::stop_token& stop) {
  image::ImagePlace from;
  if (place.empty()) {
    const auto stored = parts_.store.find_image(fmt::format("{}:{}", k_stored_pack, tag));
    if (!stored) return std::nullopt;
    from = place_in_store(parts_.store, *stored);
  } else if (is_pack_directory(place)) {
    const auto directory = layout_with(place, tag);
    if (directory.empty()) return std::nullopt;
    from = image::find_image_place(fmt::format("oci-layout://{}:{}", directory, tag), {}, stop);
  } else {
    const auto name = policy_image(parts_.session.source_policy.get(), fmt::format("{}:{}", place, tag));
    const auto reference = frontend::parse_reference(name);
    if (!parts_.images.registry().find_manifest_info({reference.domain, reference.path}, reference.tag, stop)) {
      return std::nullopt;
    }
    from = image::find_image_place(name, [&]() -> remote::Registry& { return parts_.images.registry(); }, stop);
  }
  if (!image::is_manifest_type(from.top.media_type)) throw no_pack("it is no compiler pack, but an index");
  const auto manifest = image::parse_manifest(from.read(from.top));
  if (manifest.artifact_type != k_pack_artifact_type) throw no_pack("it is no compiler pack");
  const auto platform = manifest.annotations.find(std::string(k_pack_platform_annotation));
  if (platform == manifest.annotations.end() || platform->second != platforms::to_string(*node.platform)) {
    throw no_pack("it is not for " + platforms::to_string(*node.platform));
  }
  const auto config = frontend::parse_image_config(from.read(manifest.config));
  if (!platforms::satisfies(config.platform, platforms::host_platform())) throw no_pack("it does not run on this host");
  if (config.diff_ids.empty() || config.diff_ids.size() != manifest.layers.size()) throw no_pack("it is damaged");
  LayerList layers;
  for (std::size_t i = 0; i < config.diff_ids.size(); ++i) {
    const auto& diff_id = config.diff_ids[i];
    const ImageSources::Origin origin{.layout = from.layout, .repository = from.repository};
    if (parts_.images.add_layer(diff_id, manifest.layers[i], origin)) added.push_back(diff_id);
    layers.push_back(std::make_shared<SnapshotLayer>(
        SnapshotLayer{.id = std::string(digest_hex(diff_id)), .result_digest = diff_id, .pulled = true}));
  }
  return make_snapshot(std::move(layers));
}

std::optional<LayerIds> CompilerPacks::find_made(graph::NodeId id, StepSink& sink, const std::stop_token& stop) {
  const auto base = parts_.siblings.base_of(id);
  if (!base) return std::nullopt;
  const std::string script = fmt::format(k_script, pack_triplet(*parts_.graph.nodes[id].platform));
  const Digest key = sha256("compiler pack 1\n" + base->digest + "\n" + script);
  try {
    auto known = found_.find(key);
    if (known == found_.end()) known = found_.emplace(key, make(id, *base, script, sink, stop)).first;
    if (!known->second) return std::nullopt;
    auto layers = base->layers;
    layers.push_back(std::make_shared<SnapshotLayer>(
        SnapshotLayer{.id = known->second->id, .result_digest = known->second->result_digest}));
    return parts_.workers.bring(make_snapshot(std::move(layers)), id, stop);
  } catch (const Error& error) {
    sink.log(2, fmt::format("accel: compilers are emulated: {}\n", error.what()));
    found_[key] = std::nullopt;
    return std::nullopt;
  }
}

// Once for each base image and week, where there are none in packages.
void CompilerPacks::advise(graph::NodeId id, const cache::Layer& layer, StepSink& sink) {
  const auto line = clean_line(split(made_pack_text(parts_.store, layer.id), '\n').front());
  const auto words = split(std::string_view(line), ' ');
  if (words.size() != 3 || words[0] != "none") return;
  sink.log(2, fmt::format("accel: compilers are emulated: the package sources have no cross compiler of the same source"
                          " as {} {}; `mbuild accel build-pack {}` compiles one, once\n",
                          words[1], words[2], parts_.siblings.base_name(id)));
}

std::optional<cache::Layer> CompilerPacks::make(graph::NodeId id, const Snapshot& base, const std::string& script,
                                                StepSink& sink, const std::stop_token& stop) {
  const auto& op = std::get<graph::ExecOp>(parts_.graph.nodes[id].op);
  const Digest key = sha256("compiler pack 1\n" + base.digest + "\n" + script);
  const auto lock = parts_.store.lock_layer(key, stop);
  const auto record = parts_.store.find_record(key);
  if (record && !record->layers.empty() && record->created + k_week > unix_seconds()) {
    if (const auto* layer = parts_.layers.find(record->layers.front())) return *layer;
  }
  sink.log(2, "accel: looking for compilers of the base image's packages, once\n");
  RunTask task;
  task.layer = random_hex(16);
  task.root = parts_.workers.bring(base, id, stop);
  task.argv = {"/bin/sh", "-c", script};
  task.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
              "LC_ALL=C.UTF-8"};
  task.env.insert(task.env.end(), op.proxy_env.begin(), op.proxy_env.end());
  task.cwd = "/";
  task.extra_hosts = op.extra_hosts;
  task.network = op.network;
  task.platform = platforms::host_platform();
  task.less_isolation = parts_.session.allow_less_isolation;
  parts_.workers.local().prepare(task);
  const auto started = unix_seconds();
  auto result = parts_.workers.local().run(task, sink, stop);
  if (result.exit_code != 0)
    throw Error(ExitClass::host, fmt::format("installing them ended with status {}", result.exit_code));
  const auto& layer = parts_.layers.keep(std::move(result.layer));
  parts_.store.add_record({.content_key = key,
                           .layers = {layer.id},
                           .created = started,
                           .duration_ms = 1000 * (unix_seconds() - started),
                           .emulator = {},
                           .name = k_made_pack});
  advise(id, layer, sink);
  return layer;
}

}  // namespace mbuild::executor
