#include "cli/build_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "executor/api/attribute_values.h"

namespace mbuild::cli {
namespace {

std::int64_t parse_limit(std::string_view text, const std::string& whole) {
  if (text == "unlimited") return -1;
  if (const auto value = executor::number_in(text)) return *value;
  throw usage_error(fmt::format("invalid ulimit argument: {}", whole));
}

}  // namespace

std::pair<std::string, std::string> parse_pair(const std::string& text, std::string_view what) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) throw usage_error(fmt::format("invalid {} \"{}\": expected key=value", what, text));
  if (equals == 0) throw usage_error(fmt::format("invalid {} \"{}\": empty key", what, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

executor::Output parse_output(const std::string& text) {
  if (text == "-") return executor::parse_output({{"type", "tar"}, {"dest", "-"}});
  const auto fields = split_csv(text);
  if (fields.size() == 1 && fields[0].find('=') == std::string::npos)
    return executor::parse_output({{"type", "local"}, {"dest", fields[0]}});
  executor::AttributeList attributes;
  for (const auto& field : fields) {
    const auto equals = field.find('=');
    if (equals == std::string::npos) throw usage_error(fmt::format("invalid value {} in --output {}", field, text));
    attributes.emplace_back(field.substr(0, equals), field.substr(equals + 1));
  }
  return executor::parse_output(attributes);
}

executor::CacheReference parse_cache(const std::string& text, executor::CacheUse use) {
  const auto fields = split_csv(text);
  if (fields.size() == 1 && fields[0].find('=') == std::string::npos)
    return executor::parse_cache({{"type", "registry"}, {"ref", fields[0]}}, use);
  executor::AttributeList attributes;
  for (const auto& field : fields) attributes.push_back(parse_pair(field, "cache value"));
  return executor::parse_cache(attributes, use);
}

executor::Secret parse_secret(const std::string& text) {
  executor::Secret secret;
  std::string type, variable;
  for (const auto& field : split_csv(text)) {
    auto [key, value] = parse_pair(field, "secret");
    key = to_lower(key);
    if (key == "id") {
      secret.id = value;
    } else if (key == "src" || key == "source") {
      secret.file = value;
    } else if (key == "env") {
      variable = value;
    } else if (key == "type") {
      type = value;
      if (type != "file" && type != "env") throw usage_error(fmt::format("unsupported secret type \"{}\"", type));
    } else {
      throw usage_error(fmt::format("unexpected key '{}' in --secret {}", key, text));
    }
  }
  if (secret.id.empty()) throw usage_error(fmt::format("--secret {} has no id", text));
  if (type == "env" && variable.empty()) std::swap(variable, secret.file);
  if (secret.file.empty() && variable.empty()) {
    const bool is_variable = type != "file" && std::getenv(secret.id.c_str()) != nullptr;
    (is_variable ? variable : secret.file) = secret.id;
  }
  if (!variable.empty()) secret.value = environment_variable(variable.c_str());
  return secret;
}

executor::SshAgent parse_ssh(const std::string& text) {
  const auto equals = text.find('=');
  executor::SshAgent agent{.id = text.substr(0, equals), .paths = {}};
  if (equals != std::string::npos) agent.paths = split(text.substr(equals + 1), ',');
  if (agent.id.empty()) throw usage_error(fmt::format("invalid --ssh {}", text));
  return agent;
}

std::vector<std::pair<std::string, std::string>> parse_add_host(const std::string& text) {
  const auto separator = text.find_first_of("=:");
  if (separator == 0 || separator == std::string::npos) throw usage_error(fmt::format("invalid host {}", text));
  std::vector<std::pair<std::string, std::string>> hosts;
  for (auto address : split(text.substr(separator + 1), ',')) {
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (address.empty()) throw usage_error(fmt::format("invalid host {}", text));
    hosts.emplace_back(text.substr(0, separator), address);
  }
  return hosts;
}

graph::Ulimit parse_ulimit(const std::string& text) {
  static const std::vector<std::string> k_names = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                   "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                   "rss",     "rtprio",   "rttime", "sigpending", "stack"};
  const auto [name, value] = parse_pair(text, "ulimit argument");
  if (std::find(k_names.begin(), k_names.end(), name) == k_names.end()) {
    throw usage_error(fmt::format("invalid ulimit type: {}{}", name, did_you_mean(name, k_names)));
  }
  const auto colon = value.find(':');
  graph::Ulimit limit{.name = name, .soft = parse_limit(value.substr(0, colon), text), .hard = 0};
  limit.hard = colon == std::string::npos ? limit.soft : parse_limit(value.substr(colon + 1), text);
  if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard)) {
    throw usage_error(fmt::format("ulimit soft limit must be less than or equal to hard limit: {}", text));
  }
  return limit;
}

}  // namespace mbuild::cli
