#include "bake/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bake/attributes.h"
#include "bake/entries.h"
#include "base/error.h"
#include "base/strings.h"
#include "executor/api/option_values.h"
#include "executor/sources/remote_context.h"

namespace mbuild::bake {
namespace {

std::string text_or_empty(const Target& target, Attribute attribute) {
  const auto* text = text_of(target, attribute);
  return text == nullptr ? "" : *text;
}

bool is_set(const Target& target, Attribute attribute) {
  const auto* flag = flag_of(target, attribute);
  return flag != nullptr && *flag;
}

std::string without_here(const std::string& path) {
  if (!path.starts_with(k_here)) return path;
  const auto rest = path.substr(k_here.size());
  return rest.empty() ? "." : rest;
}

executor::AttributeList attributes_of(const Entry& entry) { return {entry.fields.begin(), entry.fields.end()}; }

void set_files(const Target& target, executor::TargetRequest& request) {
  request.context = without_here(text_or_empty(target, Attribute::context));
  if (const auto* text = text_of(target, Attribute::dockerfile_inline)) {
    request.dockerfile_text = *text;
    return;
  }
  const auto dockerfile = text_or_empty(target, Attribute::dockerfile);
  if (dockerfile == "Dockerfile") return;  // the default name, which has more than one spelling
  if (dockerfile.starts_with(k_here)) {
    request.dockerfile = without_here(dockerfile);
  } else if (executor::is_remote(request.context) || executor::is_remote(dockerfile)) {
    request.dockerfile = dockerfile;
  } else {
    request.dockerfile = join_path(request.context, dockerfile);
  }
}

void set_outputs(const Target& target, executor::TargetRequest& request) {
  for (const auto& entry : entries_of(target, Attribute::output)) {
    auto output = executor::parse_output(attributes_of(entry));
    output.load = output.type == executor::OutputType::docker && output.destination.empty();
    request.outputs.push_back(std::move(output));
  }
  for (const auto& cache : entries_of(target, Attribute::cache_from))
    request.cache_from.push_back(executor::parse_cache(attributes_of(cache), executor::CacheUse::read));
  for (const auto& cache : entries_of(target, Attribute::cache_to))
    request.cache_to.push_back(executor::parse_cache(attributes_of(cache), executor::CacheUse::write));
}

executor::Secret secret_of(const Entry& entry, const Outside& outside) {
  executor::Secret secret{.id = field_of(entry, "id"), .file = field_of(entry, "src"), .value = {}};
  auto variable = field_of(entry, "env");
  if (secret.file.empty() && variable.empty()) (outside.variable(secret.id) ? variable : secret.file) = secret.id;
  if (!variable.empty()) secret.value = outside.variable(variable).value_or("");
  return secret;
}

executor::SshAgent agent_of(const Entry& entry, const Outside& outside) {
  executor::SshAgent agent{.id = field_of(entry, "id"), .paths = entry.paths};
  if (agent.id.empty()) agent.id = "default";
  const auto socket = outside.variable("SSH_AUTH_SOCK").value_or("");
  if (agent.paths.empty() && !socket.empty()) agent.paths = {socket};
  return agent;
}

void set_secrets(const Target& target, const Outside& outside, executor::TargetRequest& request) {
  for (const auto& entry : entries_of(target, Attribute::secret)) request.secrets.push_back(secret_of(entry, outside));
  for (const auto& entry : entries_of(target, Attribute::ssh)) request.ssh.push_back(agent_of(entry, outside));
  request.allow = texts_of(target, Attribute::entitlements);
  const auto removes_others = [](const executor::Output& output) { return output.files.remove_others; };
  if (std::ranges::any_of(request.outputs, removes_others)) request.allow.emplace_back("buildx.local.delete");
}

void set_platforms(const Target& target, const Outside& outside, executor::TargetRequest& request) {
  auto text = join(texts_of(target, Attribute::platforms), ",");
  if (text.empty()) text = outside.variable("DOCKER_DEFAULT_PLATFORM").value_or("");
  if (!text.empty()) request.platforms = platforms::parse_platform_list(text);
}

void set_names(const Target& target, executor::TargetRequest& request) {
  request.tags = texts_of(target, Attribute::tags);
  for (const auto& [name, value] : pairs_of(target, Attribute::labels)) request.labels.emplace_back(name, value);
  for (const auto& text : texts_of(target, Attribute::annotations)) {
    for (auto& annotation : image::parse_annotation(text)) request.annotations.push_back(std::move(annotation));
  }
}

void set_steps(const Target& target, executor::TargetRequest& request) {
  request.target = text_or_empty(target, Attribute::target);
  request.build_args = pairs_of(target, Attribute::args);
  for (const auto& [name, value] : pairs_of(target, Attribute::contexts))
    request.contexts.emplace_back(name, without_here(value));
  request.no_cache = is_set(target, Attribute::no_cache);
  request.no_cache_filter = texts_of(target, Attribute::no_cache_filter);
  request.pull = is_set(target, Attribute::pull);
  request.network = executor::parse_network(text_or_empty(target, Attribute::network));
  for (const auto& [name, address] : pairs_of(target, Attribute::extra_hosts)) {
    for (auto& host : executor::parse_add_host(name + "=" + address)) request.extra_hosts.push_back(std::move(host));
  }
  for (const auto& text : texts_of(target, Attribute::ulimits)) request.ulimits.push_back(executor::parse_ulimit(text));
  const auto size = text_or_empty(target, Attribute::shm_size);
  if (!size.empty()) request.shm_size = parse_size(size);
}

// A policy that is not looked at would be one that is broken.
void check_policies(const Target& target) {
  for (const auto& policy : entries_of(target, Attribute::policy)) {
    if (field_of(policy, "disabled") == "true" || field_of(policy, "filename").empty()) continue;
    throw usage_error(fmt::format("policy {}: mbuild does not evaluate Rego policies", field_of(policy, "filename")))
        .with_advice(
            "--policy=disabled=true builds without; EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names a source policy.");
  }
}

executor::TargetRequest request_of(const Target& target, const Outside& outside) {
  executor::TargetRequest request;
  request.name = target.name;
  check_policies(target);
  set_files(target, request);
  set_platforms(target, outside, request);
  set_names(target, request);
  set_steps(target, request);
  set_outputs(target, request);
  set_secrets(target, outside, request);
  return request;
}

bool wants_attestation(const Target& target) {
  return std::ranges::any_of(entries_of(target, Attribute::attest),
                             [](const Entry& entry) { return !entry.fields.contains("disabled"); });
}

}  // namespace

std::vector<executor::TargetRequest> target_requests(const Selection& selection, const Outside& outside) {
  std::vector<executor::TargetRequest> requests;
  for (const auto& [name, target] : selection.targets) {
    try {
      requests.push_back(request_of(target, outside));
    } catch (Error& error) {
      throw std::move(error).with_context("target " + name);
    }
  }
  return requests;
}

std::vector<std::string> unsupported(const Selection& selection) {
  std::vector<std::string> attested, limited, messages;
  for (const auto& [name, target] : selection.targets) {
    if (wants_attestation(target)) attested.push_back(name);
    if (!pairs_of(target, Attribute::resources).empty()) limited.push_back(name);
  }
  if (!attested.empty())
    messages.push_back(fmt::format("attestations are not made: attest has no effect (target {})", join_some(attested)));
  if (!limited.empty()) messages.push_back(fmt::format("resources has no effect (target {})", join_some(limited)));
  return messages;
}

}  // namespace mbuild::bake
