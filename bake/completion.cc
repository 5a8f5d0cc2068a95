#include "bake/completion.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "bake/attributes.h"
#include "bake/entries.h"
#include "base/bool_word.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "executor/api/option_values.h"
#include "executor/sources/remote_context.h"
#include "image/annotations.h"
#include "platforms/platform.h"

namespace mbuild::bake {
namespace {

void set_default(Target& target, Attribute attribute, const std::string& value) {
  auto& text = value_of<std::string>(target, attribute);
  if (text.empty()) text = value;
}

std::string cleaned_context(const std::string& context, bool remote) {
  if (context.starts_with(k_here)) {
    const auto path = clean_path(context.substr(k_here.size()));
    return remote ? std::string(k_here) + path : path;
  }
  if (executor::is_remote(context) || context.find("://") != std::string::npos) return context;
  return clean_path(context);
}

void set_defaults(Target& target, const Outside& outside) {
  target.attributes.erase(Attribute::inherits);
  set_default(target, Attribute::context, target.directory.empty() ? "." : target.directory);
  set_default(target, Attribute::dockerfile, "Dockerfile");
  auto& context = value_of<std::string>(target, Attribute::context);
  if (context != "-") context = cleaned_context(context, outside.remote);
  if (const auto epoch = outside.variable("SOURCE_DATE_EPOCH"); epoch && !epoch->empty())
    value_of<Pairs>(target, Attribute::args).try_emplace("SOURCE_DATE_EPOCH", *epoch);
}

void check_places(const Target& target) {
  if (*text_of(target, Attribute::context) == "-") throw usage_error("context from stdin not allowed in bake");
  if (*text_of(target, Attribute::dockerfile) == "-") throw usage_error("dockerfile from stdin not allowed in bake");
}

void check_annotation(const std::string& text) {
  try {
    image::parse_annotation(text);
  } catch (Error& error) {
    throw std::move(error).with_context(fmt::format("invalid annotation \"{}\"", text));
  }
}

void check_secret(const Entry& secret, const Outside& outside) {
  const auto id = field_of(secret, "id");
  if (id.empty()) throw usage_error("a secret has no id").with_advice("Write { id = NAME, src = FILE }.");
  if (!field_of(secret, "env").empty()) return;
  auto file = field_of(secret, "src");
  if (file.empty()) file = outside.variable(id) ? "" : id;
  if (!file.empty() && !path_exists(file)) {
    throw usage_error(fmt::format("secret {}: {}: no such file or directory", id, file))
        .with_advice("src names a file relative to the working directory, env a variable of the environment.");
  }
}

void check_key(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) < 0) {
    throw usage_error(fmt::format("ssh key {}: no such file or directory", path))
        .with_advice("Paths of ssh are relative to the working directory.");
  }
  if (S_ISSOCK(status.st_mode)) return;
  if (!S_ISREG(status.st_mode) || read_file(path).find("PRIVATE KEY-----") == std::string::npos)
    throw usage_error(fmt::format("{} is neither a private key nor the socket of an agent", path));
}

void check_agent(const Entry& agent, const Outside& outside) {
  for (const auto& path : agent.paths) check_key(path);
  if (!agent.paths.empty()) return;
  const auto socket = outside.variable("SSH_AUTH_SOCK").value_or("");
  if (!socket.empty() && path_exists(socket)) return;
  const auto why = socket.empty() ? "is not set" : fmt::format("names {}, which is not there", socket);
  const auto id = field_of(agent, "id");
  throw usage_error(fmt::format("ssh agent \"{}\": SSH_AUTH_SOCK {}", id.empty() ? "default" : id, why))
      .with_advice("Start an agent, or name its socket or keys: ID=PATH.");
}

bool is_directory_output(const Entry& output) {
  const auto type = field_of(output, "type");
  const bool image = type == "oci" || type == "docker";
  return type == "local" || (image && bool_word(field_of(output, "tar")) == false);
}

bool is_file_output(const Entry& output) {
  const auto type = field_of(output, "type");
  return type == "tar" || ((type == "oci" || type == "docker") && !is_directory_output(output));
}

void check_destination(const Entry& output) {
  const auto dest = field_of(output, "dest");
  const bool directory = is_directory_output(output);
  if (directory && dest.empty())
    throw usage_error(fmt::format("dest is required for {} exporter", field_of(output, "type")));
  if (directory && dest == "-")
    throw usage_error(fmt::format("dest cannot be stdout for {} exporter", field_of(output, "type")));
  struct stat status;
  if (dest.empty() || dest == "-" || ::stat(dest.c_str(), &status) < 0) return;
  if (directory && !S_ISDIR(status.st_mode))
    throw usage_error(fmt::format("destination directory {} is a file", dest)).with_advice("Name another dest.");
  if (!directory && S_ISDIR(status.st_mode))
    throw usage_error(fmt::format("destination file {} is a directory", dest)).with_advice("Name a file in it.");
}

// A file without a name is standard output.
void check_outputs(Entries& outputs) {
  int streams = 0;
  for (auto& output : outputs) {
    if (!is_directory_output(output) && !is_file_output(output)) continue;
    if (is_file_output(output) && field_of(output, "type") != "docker" && field_of(output, "dest").empty())
      output.fields["dest"] = "-";
    check_destination(output);
    streams += field_of(output, "dest") == "-" ? 1 : 0;
  }
  if (streams > 1) throw usage_error("multiple outputs configured to write to stdout").with_advice("Give one a dest.");
}

void check_size(const std::string& name, const std::string& text) {
  try {
    parse_size(text);
  } catch (const Error&) {
    throw usage_error(fmt::format("invalid value {} for {}", text, name)).with_advice("It is a size: 64m, 1g.");
  }
}

void check_resources(const Pairs& resources) {
  for (const auto& [name, text] : resources) {
    if (name.starts_with("memory")) {
      if (name != "memory-swap" || text != "-1") check_size(name, text);
    } else if (name.starts_with("cpu-") && (text.empty() || text.find_first_not_of("-0123456789") != text.npos)) {
      throw usage_error(fmt::format("invalid value {} for {}", text, name)).with_advice("It is a whole number.");
    }
  }
}

void check(Target& target, const Outside& outside) {
  check_places(target);
  for (const auto& text : texts_of(target, Attribute::annotations)) check_annotation(text);
  for (const auto& text : texts_of(target, Attribute::platforms)) platforms::parse_platform_list(text);
  for (const auto& secret : entries_of(target, Attribute::secret)) check_secret(secret, outside);
  for (const auto& agent : entries_of(target, Attribute::ssh)) check_agent(agent, outside);
  for (const auto& text : texts_of(target, Attribute::ulimits)) executor::parse_ulimit(text);
  if (const auto* size = text_of(target, Attribute::shm_size); size != nullptr) check_size("shm-size", *size);
  check_resources(pairs_of(target, Attribute::resources));
  if (!entries_of(target, Attribute::output).empty()) check_outputs(value_of<Entries>(target, Attribute::output));
}

}  // namespace

void normalise(Target& target) {
  if (const auto* network = text_of(target, Attribute::network); network != nullptr && *network == "host")
    value_of<Texts>(target, Attribute::entitlements).push_back("network.host");
  for (auto& [attribute, value] : target.attributes) {
    if (row_of(attribute).distinct) make_distinct(std::get<Texts>(value));
  }
  if (!pairs_of(target, Attribute::contexts).empty())
    std::erase_if(value_of<Pairs>(target, Attribute::contexts), [](const auto& pair) { return pair.second.empty(); });
}

void complete(Target& target, const Outside& outside) {
  set_defaults(target, outside);
  try {
    check(target, outside);
  } catch (Error& error) {
    throw std::move(error).with_context("target " + target.name);
  }
}

}  // namespace mbuild::bake
