#include "remote/credentials.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
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

bool is_docker_hub(const std::string& host) {
  return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
}

// How well a key of a file fits a repository; nothing when it is another's. Keys are "host", "host/team/app" for what
// is called so or lies below it, and URLs such as "https://host/v1/", as old versions of docker wrote them.
std::optional<std::size_t> fit(const std::string& key, const std::string& host, const std::string& repository) {
  if (key == server_key(host)) return 3;
  if (key == host) return 2;
  std::string_view rest = key;
  const auto mark = rest.find("://");
  const bool is_url = mark != rest.npos;
  if (is_url) rest.remove_prefix(mark + 3);
  const auto slash = rest.find('/');
  const std::string key_host(rest.substr(0, slash));
  if (key_host != host && !(is_docker_hub(key_host) && is_docker_hub(host))) return std::nullopt;
  auto path = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (is_url) return 0;
  if (path.empty() || path == "v1" || path == "v2") return 1;
  const bool below =
      repository.starts_with(path) && (repository.size() == path.size() || repository[path.size()] == '/');
  return below ? std::optional(3 + path.size()) : std::nullopt;
}

// The member of an object whose key fits best among those that `counts` accepts; nullptr when there is none.
template <typename Counts>
const json::object_t::value_type* best_fit(const json& object, const std::string& host, const std::string& repository,
                                           Counts counts) {
  const json::object_t::value_type* best = nullptr;
  std::size_t best_value = 0;
  for (const auto& member : object.get_ref<const json::object_t&>()) {
    const auto value = fit(member.first, host, repository);
    if (!value || (best != nullptr && *value <= best_value) || !counts(member.second)) continue;
    best = &member;
    best_value = *value;
  }
  return best;
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

json parse_json_object(const std::string& text, const std::string& what, const std::string& advice) {
  try {
    json value = json::parse(text);
    if (value.is_object()) return value;
  } catch (const json::parse_error& error) {
    throw Error(ExitClass::usage, fmt::format("{} is not JSON (at byte {})", what, error.byte)).with_advice(advice);
  }
  throw Error(ExitClass::usage, what + " is not a JSON object").with_advice(advice);
}

Credentials ask_helper(const std::string& helper, const std::string& key, const std::stop_token& stop) {
  const std::string program = "docker-credential-" + helper;
  if (find_program(program).empty()) {
    throw Error(ExitClass::host, fmt::format("the credential helper {} is not installed", program))
        .with_advice(
            fmt::format("The file with the credentials names it for {}: install it or correct the file.", key));
  }
  const auto result = run_program({program, "get"}, key, stop);
  if (result.status != 0) {
    // Helpers report an absent entry on standard output, in these words.
    const bool absent = result.output.find("credentials not found") != std::string::npos;
    if (absent) return {};
    throw Error(ExitClass::host, fmt::format("{} failed: {}", program, trim(result.error + result.output)))
        .with_advice(fmt::format("Run `docker login {}` again.", key));
  }
  const json answer =
      parse_json_object(result.output, "the answer of " + program, "Correct the helper or take it out of the file.");
  Credentials credentials;
  credentials.user = text_member(answer, "Username");
  credentials.password = text_member(answer, "Secret");
  if (credentials.user == "<token>") {
    credentials.identity_token = std::exchange(credentials.password, "");
    credentials.user.clear();
  }
  return credentials;
}

// The two halves of "user:password" in base64, which tools and people break into lines.
void read_auth(const std::string& auth, const std::string& key, std::string_view login, Credentials& credentials) {
  const auto refuse = [&](const char* how) {
    return Error(ExitClass::usage, fmt::format("the credentials for {} can't be read: `auth` {}", key, how))
        .with_advice(fmt::format("Log in again with `{} {}`.", login, key));
  };
  std::string encoded;
  for (const char c : auth) {
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) encoded += c;
  }
  auto decoded = base64_decode(encoded);
  if (!decoded) throw refuse("is not base64");
  while (decoded->ends_with('\0') || decoded->ends_with('\n') || decoded->ends_with('\r')) decoded->pop_back();
  if (decoded->empty()) return;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) throw refuse("holds no user and password with a colon between them");
  const bool printable =
      std::ranges::none_of(*decoded, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!printable) throw refuse("holds control characters");
  credentials.user = decoded->substr(0, colon);
  credentials.password = decoded->substr(colon + 1);
}

bool is_entry(const json& entry) { return entry.is_object() ? !entry.empty() : !entry.is_null(); }

Credentials from_entry(const std::string& key, const json& entry, std::string_view login) {
  if (!entry.is_object()) {
    throw Error(ExitClass::usage, fmt::format("the credentials for {} can't be read: not a JSON object", key))
        .with_advice(fmt::format("Log in again with `{} {}`.", login, key));
  }
  for (const char* name : {"auth", "username", "password", "identitytoken", "registrytoken"}) {
    const auto it = entry.find(name);
    if (it == entry.end() || it->is_string() || it->is_null()) continue;
    throw Error(ExitClass::usage, fmt::format("the credentials for {} can't be read: `{}` is not a text", key, name))
        .with_advice(fmt::format("Log in again with `{} {}`.", login, key));
  }
  Credentials credentials;
  credentials.user = text_member(entry, "username");
  credentials.password = text_member(entry, "password");
  credentials.identity_token = text_member(entry, "identitytoken");
  credentials.registry_token = text_member(entry, "registrytoken");
  if (const auto auth = text_member(entry, "auth"); !auth.empty()) read_auth(auth, key, login, credentials);
  return credentials;
}

using AskHelper = std::function<Credentials(const std::string& helper, const std::string& key)>;

// Docker's helpers know Docker Hub by its URL, podman's by its name.
Credentials ask_for_host(const AskHelper& ask, const std::string& helper, const std::string& host) {
  auto found = ask(helper, server_key(host));
  return found.empty() && is_docker_hub(host) ? ask(helper, "docker.io") : found;
}

Credentials look_up(const std::string& text, const std::string& host, const std::string& repository,
                    std::string_view login, const AskHelper& ask) {
  const json config = parse_json_object(text, "the file with the credentials", "Correct the file, or log in again.");
  const auto names_helper = [](const json& value) {
    return value.is_string() && !value.get_ref<const std::string&>().empty();
  };
  if (const auto* helper = best_fit(object_member(config, "credHelpers"), host, repository, names_helper)) {
    return ask_for_host(ask, helper->second.get<std::string>(), host);
  }
  if (const auto store = text_member(config, "credsStore"); !store.empty()) {
    if (auto found = ask_for_host(ask, store, host); !found.empty()) return found;
  }
  const auto* entry = best_fit(object_member(config, "auths"), host, repository, is_entry);
  return entry != nullptr ? from_entry(entry->first, entry->second, login) : Credentials{};
}

}  // namespace

std::string server_key(const std::string& host) { return is_docker_hub(host) ? k_docker_hub_key : host; }

std::string docker_config_directory(const Variables& variable) {
  if (auto directory = variable("DOCKER_CONFIG"); !directory.empty()) return directory;
  const auto home = variable("HOME");
  return home.empty() ? "" : home + "/.docker";
}

std::vector<std::string> container_auth_files(const Variables& variable) {
  if (auto file = variable("REGISTRY_AUTH_FILE"); !file.empty()) return {std::move(file)};
  std::vector<std::string> files;
  const auto runtime = variable("XDG_RUNTIME_DIR"), config = variable("XDG_CONFIG_HOME"), home = variable("HOME");
  files.push_back((runtime.empty() ? fmt::format("/run/containers/{}", ::getuid()) : runtime + "/containers") +
                  "/auth.json");
  if (!config.empty()) files.push_back(config + "/containers/auth.json");
  if (!home.empty()) files.push_back(home + "/.config/containers/auth.json");
  return files;
}

Credentials find_credentials(const std::string& text, const std::string& host, const std::string& repository,
                             std::stop_token stop, std::string_view login) {
  return look_up(text, host, repository, login,
                 [&](const std::string& helper, const std::string& key) { return ask_helper(helper, key, stop); });
}

namespace {

// The files, and what helpers have answered: some take a second for it.
class StoredCredentials {
 public:
  StoredCredentials(const std::string& docker_directory, const std::vector<std::string>& container_files) {
    if (!docker_directory.empty()) files_.push_back({docker_directory + "/config.json", "docker login"});
    for (const auto& path : container_files) files_.push_back({path, "podman login"});
  }

  Credentials find(const std::string& host, const std::string& repository, const std::stop_token& stop) {
    const std::lock_guard lock(mutex_);
    for (const auto& file : files_) {
      if (!path_exists(file.path)) continue;
      try {
        auto found = look_up(read_file(file.path), host, repository, file.login,
                             [&](const std::string& helper, const std::string& key) { return ask(helper, key, stop); });
        if (!found.empty()) return found;
      } catch (Error& error) {
        error.with_context(file.path);
        throw;
      }
    }
    return {};
  }

 private:
  struct File {
    std::string path;
    std::string_view login;
  };

  Credentials ask(const std::string& helper, const std::string& key, const std::stop_token& stop) {
    const auto known = answers_.find({helper, key});
    if (known != answers_.end()) return known->second;
    return answers_[{helper, key}] = ask_helper(helper, key, stop);
  }

  std::vector<File> files_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Credentials> answers_;  // by helper and key
};

}  // namespace

CredentialSource stored_credentials(const std::string& docker_directory,
                                    const std::vector<std::string>& container_files) {
  const auto stored = std::make_shared<StoredCredentials>(docker_directory, container_files);
  return [stored](const std::string& host, const std::string& repository, std::stop_token stop) {
    return stored->find(host, repository, stop);
  };
}

}  // namespace mbuild::remote
