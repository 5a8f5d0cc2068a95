#include "oci/image_config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

// Members of an object are written in alphabetical order (nlohmann::json is a sorted map), empty ones are left out:
// equal configurations are equal bytes whatever the base image's writer did.
namespace mbuild::frontend {
namespace {

using Json = nlohmann::json;

Error wrong(std::string_view member, std::string_view expected) {
  return Error(ExitClass::usage,
               "invalid image configuration: \"" + std::string(member) + "\" is not " + std::string(expected));
}

// The member, or nullptr when it is absent or null.
const Json* find(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

std::string string_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  if (value == nullptr) return {};
  if (!value->is_string()) throw wrong(name, "a string");
  return value->get<std::string>();
}

bool bool_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) throw wrong(name, "true or false");
  return value->get<bool>();
}

std::int64_t number_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  if (value == nullptr) return 0;
  if (!value->is_number_integer()) throw wrong(name, "a whole number");
  return value->get<std::int64_t>();
}

std::vector<std::string> strings(const Json& value, const char* name) {
  if (!value.is_array()) throw wrong(name, "a list of strings");
  std::vector<std::string> result;
  for (const Json& item : value) {
    if (!item.is_string()) throw wrong(name, "a list of strings");
    result.push_back(item.get<std::string>());
  }
  return result;
}

std::vector<std::string> strings_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  return value == nullptr ? std::vector<std::string>{} : strings(*value, name);
}

std::optional<std::vector<std::string>> optional_strings(const Json& object, const char* name) {
  const Json* value = find(object, name);
  if (value == nullptr) return std::nullopt;
  return strings(*value, name);
}

// {"80/tcp": {}, ...}: the keys, which nlohmann::json keeps sorted.
std::vector<std::string> keys_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  std::vector<std::string> result;
  if (value == nullptr) return result;
  if (!value->is_object()) throw wrong(name, "an object");
  for (const auto& item : value->items()) result.push_back(item.key());
  return result;
}

std::map<std::string, std::string> map_member(const Json& object, const char* name) {
  const Json* value = find(object, name);
  std::map<std::string, std::string> result;
  if (value == nullptr) return result;
  if (!value->is_object()) throw wrong(name, "an object of strings");
  for (const auto& item : value->items()) {
    if (!item.value().is_string()) throw wrong(name, "an object of strings");
    result[item.key()] = item.value().get<std::string>();
  }
  return result;
}

std::optional<HealthCheck> health_check_member(const Json& object) {
  const Json* value = find(object, "Healthcheck");
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) throw wrong("Healthcheck", "an object");
  HealthCheck check;
  check.test = strings_member(*value, "Test");
  check.interval_ns = number_member(*value, "Interval");
  check.timeout_ns = number_member(*value, "Timeout");
  check.start_period_ns = number_member(*value, "StartPeriod");
  check.start_interval_ns = number_member(*value, "StartInterval");
  check.retries = number_member(*value, "Retries");
  return check;
}

constexpr const char* k_known_members[] = {"User",        "Env",     "Entrypoint",   "Cmd",     "Shell",
                                           "WorkingDir",  "Labels",  "ExposedPorts", "Volumes", "StopSignal",
                                           "Healthcheck", "OnBuild", "ArgsEscaped"};

bool is_known(const std::string& name) {
  for (const char* known : k_known_members) {
    if (name == known) return true;
  }
  return false;
}

void parse_run_config(const Json& run, ImageConfig& config) {
  if (!run.is_object()) throw wrong("config", "an object");
  config.user = string_member(run, "User");
  config.env = strings_member(run, "Env");
  config.entrypoint = optional_strings(run, "Entrypoint");
  config.cmd = optional_strings(run, "Cmd");
  config.shell = optional_strings(run, "Shell");
  config.working_dir = string_member(run, "WorkingDir");
  config.labels = map_member(run, "Labels");
  config.exposed_ports = keys_member(run, "ExposedPorts");
  config.volumes = keys_member(run, "Volumes");
  config.stop_signal = string_member(run, "StopSignal");
  config.health_check = health_check_member(run);
  config.on_build = strings_member(run, "OnBuild");
  config.args_escaped = bool_member(run, "ArgsEscaped");
  for (const auto& item : run.items()) {
    if (!item.value().is_null() && !is_known(item.key())) config.unknown[item.key()] = item.value().dump();
  }
}

std::vector<HistoryEntry> history_member(const Json& object) {
  const Json* value = find(object, "history");
  std::vector<HistoryEntry> history;
  if (value == nullptr) return history;
  if (!value->is_array()) throw wrong("history", "a list");
  for (const Json& item : *value) {
    if (!item.is_object()) throw wrong("history", "a list of objects");
    HistoryEntry entry;
    entry.created = string_member(item, "created");
    entry.created_by = string_member(item, "created_by");
    entry.comment = string_member(item, "comment");
    entry.author = string_member(item, "author");
    entry.empty_layer = bool_member(item, "empty_layer");
    history.push_back(std::move(entry));
  }
  return history;
}

platforms::Platform platform_members(const Json& object) {
  platforms::Platform platform;
  platform.os = string_member(object, "os");
  platform.arch = string_member(object, "architecture");
  platform.variant = string_member(object, "variant");
  platform.os_version = string_member(object, "os.version");
  const auto normal = platforms::checked(platform);
  return platform.os.empty() || platform.arch.empty() ? platform : normal;
}

void set(Json& object, const char* name, const std::string& value) {
  if (!value.empty()) object[name] = value;
}

void set(Json& object, const char* name, std::int64_t value) {
  if (value != 0) object[name] = value;
}

void set(Json& object, const char* name, const std::vector<std::string>& value) {
  if (!value.empty()) object[name] = value;
}

void set(Json& object, const char* name, const std::optional<std::vector<std::string>>& value) {
  if (value) set(object, name, *value);
}

void set_keys(Json& object, const char* name, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) object[name][key] = Json::object();
}

Json health_check_json(const HealthCheck& check) {
  Json json = Json::object();
  set(json, "Test", check.test);
  set(json, "Interval", check.interval_ns);
  set(json, "Timeout", check.timeout_ns);
  set(json, "StartPeriod", check.start_period_ns);
  set(json, "StartInterval", check.start_interval_ns);
  set(json, "Retries", check.retries);
  return json;
}

Json run_config_json(const ImageConfig& config) {
  Json json = Json::object();
  for (const auto& [name, text] : config.unknown) json[name] = Json::parse(text, nullptr, false);
  set(json, "User", config.user);
  set(json, "Env", config.env);
  set(json, "Entrypoint", config.entrypoint);
  set(json, "Cmd", config.cmd);
  set(json, "Shell", config.shell);
  set(json, "WorkingDir", config.working_dir);
  if (!config.labels.empty()) json["Labels"] = config.labels;
  set_keys(json, "ExposedPorts", config.exposed_ports);
  set_keys(json, "Volumes", config.volumes);
  set(json, "StopSignal", config.stop_signal);
  if (config.health_check) json["Healthcheck"] = health_check_json(*config.health_check);
  set(json, "OnBuild", config.on_build);
  if (config.args_escaped) json["ArgsEscaped"] = true;
  return json;
}

Json history_json(const HistoryEntry& entry) {
  Json json = Json::object();
  set(json, "created", entry.created);
  set(json, "created_by", entry.created_by);
  set(json, "comment", entry.comment);
  set(json, "author", entry.author);
  if (entry.empty_layer) json["empty_layer"] = true;
  return json;
}

}  // namespace

ImageConfig parse_image_config(std::string_view json) {
  const Json root = Json::parse(json, nullptr, false);
  if (root.is_discarded()) throw Error(ExitClass::usage, "invalid image configuration: it is not JSON");
  if (!root.is_object()) throw Error(ExitClass::usage, "invalid image configuration: it is not a JSON object");
  ImageConfig config;
  config.platform = platform_members(root);
  config.os_features = strings_member(root, "os.features");
  config.created = string_member(root, "created");
  config.author = string_member(root, "author");
  if (const Json* run = find(root, "config")) parse_run_config(*run, config);
  if (const Json* rootfs = find(root, "rootfs")) {
    if (!rootfs->is_object()) throw wrong("rootfs", "an object");
    config.diff_ids = strings_member(*rootfs, "diff_ids");
  }
  config.history = history_member(root);
  return config;
}

std::string serialise_image_config(const ImageConfig& config) {
  Json root = Json::object();
  root["os"] = config.platform.os;
  root["architecture"] = config.platform.arch;
  set(root, "variant", config.platform.variant);
  set(root, "os.version", config.platform.os_version);
  set(root, "os.features", config.os_features);
  set(root, "created", config.created);
  set(root, "author", config.author);
  root["config"] = run_config_json(config);
  root["rootfs"] = {{"type", "layers"}, {"diff_ids", config.diff_ids}};
  Json history = Json::array();
  for (const HistoryEntry& entry : config.history) history.push_back(history_json(entry));
  if (!history.empty()) root["history"] = std::move(history);
  for (const auto& [name, text] : config.extensions) root[name] = Json::parse(text, nullptr, false);
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mbuild::frontend
