#include "remote/credentials.h"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

using nlohmann::json;

constexpr const char* k_docker_hub_key = "https://index.docker.io/v1/";

// The name under which docker keeps a host's credentials.
std::string server_key(const std::string& host) {
  const bool hub = host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
  return hub ? k_docker_hub_key : host;
}

// "https://host/v1/" -> "host": old versions of docker wrote URLs as keys.
std::string host_of_key(std::string_view key) {
  if (const auto mark = key.find("://"); mark != std::string_view::npos) key.remove_prefix(mark + 3);
  return std::string(key.substr(0, key.find('/')));
}

std::string text_member(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

const json& object_member(const json& object, const char* name) {
  static const json k_empty = json::object();
  const auto it = object.find(name);
  return it != object.end() && it->is_object() ? *it : k_empty;
}

json parse_json_object(const std::string& text, const std::string& what) {
  json value = json::parse(text, nullptr, false);
  if (!value.is_object()) {
    throw Error(ExitClass::usage, what + " is not a JSON object").with_advice("Correct the file, or log in again.");
  }
  return value;
}

Credentials ask_helper(const std::string& helper, const std::string& key, const std::stop_token& stop) {
  const std::string program = "docker-credential-" + helper;
  if (find_program(program).empty()) {
    throw Error(ExitClass::host, fmt::format("the credential helper {} is not installed", program))
        .with_advice(fmt::format("docker's config.json names it for {}: install it or correct the file.", key));
  }
  const auto result = run_program({program, "get"}, key, stop);
  if (result.status != 0) {
    // Helpers report an absent entry on standard output, in these words.
    const bool absent = result.output.find("credentials not found") != std::string::npos;
    if (absent) return {};
    throw Error(ExitClass::host, fmt::format("{} failed: {}", program, trim(result.error + result.output)))
        .with_advice(fmt::format("Run `docker login {}` again.", key));
  }
  const json answer = parse_json_object(result.output, "the answer of " + program);
  Credentials credentials;
  credentials.user = text_member(answer, "Username");
  credentials.password = text_member(answer, "Secret");
  if (credentials.user == "<token>") {
    credentials.identity_token = std::exchange(credentials.password, "");
    credentials.user.clear();
  }
  return credentials;
}

Credentials from_entry(const json& entry) {
  Credentials credentials;
  credentials.user = text_member(entry, "username");
  credentials.password = text_member(entry, "password");
  credentials.identity_token = text_member(entry, "identitytoken");
  credentials.registry_token = text_member(entry, "registrytoken");
  const auto decoded = base64_decode(text_member(entry, "auth"));
  if (!decoded || decoded->empty()) return credentials;
  const auto colon = decoded->find(':');
  credentials.user = decoded->substr(0, colon);
  if (colon != std::string::npos) credentials.password = decoded->substr(colon + 1);
  while (credentials.password.ends_with('\0')) credentials.password.pop_back();
  return credentials;
}

Credentials from_auths(const json& auths, const std::string& key) {
  if (const auto it = auths.find(key); it != auths.end() && it->is_object()) return from_entry(*it);
  for (const auto& [name, entry] : auths.items()) {
    if (host_of_key(name) == host_of_key(key) && entry.is_object()) return from_entry(entry);
  }
  return {};
}

}  // namespace

std::string docker_config_directory() {
  if (const char* directory = std::getenv("DOCKER_CONFIG"); directory != nullptr && *directory != '\0') {
    return directory;
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.docker" : "";
}

Credentials find_credentials(const std::string& config_json, const std::string& host, std::stop_token stop) {
  const json config = parse_json_object(config_json, "docker's config.json");
  const std::string key = server_key(host);
  const json& helpers = object_member(config, "credHelpers");
  for (const auto& name : {host, host_of_key(key), key}) {
    if (const auto helper = text_member(helpers, name.c_str()); !helper.empty()) return ask_helper(helper, key, stop);
  }
  if (const auto store = text_member(config, "credsStore"); !store.empty()) {
    if (auto found = ask_helper(store, key, stop); !found.empty()) return found;
  }
  return from_auths(object_member(config, "auths"), key);
}

CredentialSource docker_credentials(std::string directory) {
  return [directory = std::move(directory)](const std::string& host, std::stop_token stop) -> Credentials {
    const std::string path = directory + "/config.json";
    if (directory.empty() || !path_exists(path)) return {};
    try {
      return find_credentials(read_file(path), host, stop);
    } catch (Error& error) {
      error.with_context(path);
      throw;
    }
  };
}

}  // namespace mbuild::remote
