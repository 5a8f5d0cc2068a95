#include "cli/build_flags.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "executor/api/option_values.h"

namespace mbuild::cli {

using executor::parse_pair;

executor::Output parse_output(const std::string& text) {
  if (text == "-") return executor::parse_output({{"type", "tar"}, {"dest", "-"}});
  const auto fields = split_csv(text);
  if (fields.size() == 1 && fields[0] == text && !text.starts_with("type="))
    return executor::parse_output({{"type", "local"}, {"dest", text}});
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

executor::SshAgent with_own_agent(executor::SshAgent agent) {
  const auto socket = environment_variable("SSH_AUTH_SOCK");
  if (agent.paths.empty() && !socket.empty()) agent.paths = {socket};
  return agent;
}

}  // namespace mbuild::cli
