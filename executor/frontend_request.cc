#include "executor/frontend_request.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "executor/sources/remote_context.h"

namespace mbuild::executor {
namespace {

bool is_local_value(const std::string& value) {
  return value.find("://") == std::string::npos && !value.starts_with("target:") && !value.starts_with("git@");
}

void apply_entitlements(const TargetRequest& request, frontend::Request& out) {
  for (const auto& name : request.allow) {
    if (name == "network.host") {
      out.allow_network_host = true;
    } else if (name == "security.insecure") {
      out.allow_security_insecure = true;
    } else if (name != "buildx.local.delete") {
      throw Error(ExitClass::usage, fmt::format("invalid entitlement \"{}\"", name))
          .with_advice("--allow takes network.host, security.insecure and buildx.local.delete.");
    }
  }
  if (request.network == graph::NetworkMode::host) out.allow_network_host = true;
}

// What the request says, word for word.
void copy_options(const TargetRequest& request, frontend::Request& out) {
  out.target = request.target;
  out.platforms = request.platforms;
  out.implicit_platform = request.platforms.empty();
  if (out.platforms.empty()) out.platforms = {platforms::host_platform()};
  out.build_platform = platforms::host_platform();
  out.build_args = request.build_args;
  out.contexts = request.contexts;
  out.labels = request.labels;
  out.no_cache = request.no_cache;
  out.no_cache_filter = request.no_cache_filter;
  out.network = request.network;
  out.extra_hosts = request.extra_hosts;
  out.ulimits = request.ulimits;
  out.shm_size = request.shm_size;
  out.cgroup_parent = request.cgroup_parent;
  out.multi_platform = out.platforms.size() > 1;
}

}  // namespace

void open_contexts(const TargetRequest& request, const Inputs& inputs, Contexts& contexts) {
  contexts.add("context", inputs.context_directory);
  for (const auto& [name, value] : request.contexts) {
    if (is_local_value(value)) contexts.add_when_used(name, value);
  }
}

frontend::Request frontend_request(const FrontendSources& sources, std::stop_token stop,
                                   std::vector<frontend::dockerfile::Warning>& warnings) {
  const auto& inputs = sources.inputs;
  frontend::Request out;
  out.dockerfile = frontend::dockerfile::parse_dockerfile(inputs.dockerfile_text, inputs.dockerfile_name, &warnings);
  copy_options(sources.request, out);
  apply_entitlements(sources.request, out);
  out.context_time = inputs.context_time;
  out.resolve = [&images = sources.images](const std::vector<frontend::ImageQuery>& queries) {
    return images.resolve(queries);
  };
  out.source_time = [&session = sources.session, &request = sources.request, scratch = sources.scratch, stop,
                     known =
                         std::map<std::string, std::optional<std::int64_t>>()](const graph::SourceOp& source) mutable {
    graph::Node node;
    node.op = source;
    const auto [found, is_new] = known.try_emplace(graph::canonical_parameters(node));
    if (is_new) found->second = time_of_source(session, request, source, scratch, stop);
    return found->second;
  };
  out.read_file = [&inputs, &contexts = sources.contexts](const std::string& context,
                                                          const std::string& path) -> std::optional<std::string> {
    if (context == "context" && path == ".dockerignore") {
      if (inputs.ignore_text) return inputs.ignore_text;
      if (!inputs.context_ignored) return std::nullopt;
    }
    return contexts.read_file(context, path);
  };
  return out;
}

std::optional<std::int64_t> epoch_of(const TargetRequest& request, const frontend::Lowered& lowered,
                                     const Inputs& inputs) {
  if (lowered.source_date_epoch || !request.reproducible) return lowered.source_date_epoch;
  std::int64_t seconds = 0;
  if (!find_program("git").empty()) {
    // The configuration of a repository can name programs: none of them is run.
    const auto git = run_program({"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C",
                                  inputs.context_directory, "log", "-1", "--no-show-signature", "--format=%ct"});
    const auto text = trim(git.output);
    if (git.status == 0) std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return seconds;
}

}  // namespace mbuild::executor
