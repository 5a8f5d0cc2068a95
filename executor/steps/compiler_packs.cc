#include "executor/steps/compiler_packs.h"

#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "platforms/platform.h"
#include "worker/layer_directories.h"

namespace mbuild::executor {
namespace {

constexpr std::int64_t k_week = 7 * 24 * 3600;

// Debian's names of the platforms whose native and cross compilers are known to give the same code.
std::string triplet_of(const platforms::Platform& platform) {
  return platform.os == "linux" && platform.arch == "arm64" ? "aarch64-linux-gnu" : "";
}

// Only what is built from the same source is worth its download: Debian appends "crossN" to the version of that. What
// the compilers themselves don't need is left out; the file tells that the step has been here.
constexpr std::string_view k_script = R"(set -e
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
  *) mark none; exit 0 ;;
esac
$apt install -y --no-install-recommends "gcc-$version-{0}" "g++-$version-{0}" "binutils-{0}" \
  make patch bzip2 xz-utils > /dev/null
rm -rf /usr/{0} /usr/lib/gcc-cross /usr/share/doc /usr/share/man /usr/share/locale /var/log
mark "$cross"
)";

}  // namespace

std::optional<LayerIds> CompilerPacks::find(graph::NodeId id, StepSink& sink, const std::stop_token& stop) {
  const auto& node = parts_.graph.nodes[id];
  const auto& op = std::get<graph::ExecOp>(node.op);
  const std::string triplet = triplet_of(*node.platform);
  if (triplet.empty() || op.network == graph::NetworkMode::none || !parts_.workers.is_local(id)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto base = parts_.siblings.base_of(id);
  if (!base) return std::nullopt;
  const std::string script = fmt::format(k_script, triplet);
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
                           .name = "compiler pack"});
  return layer;
}

}  // namespace mbuild::executor
