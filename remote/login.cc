#include "remote/login.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "remote/registry_endpoint.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

using nlohmann::ordered_json;

ordered_json read_config(const std::string& file) {
  if (!path_exists(file)) return ordered_json::object();
  auto config = ordered_json::parse(read_file(file), nullptr, false);
  if (config.is_object()) return config;
  throw usage_error(file + " is no JSON object").with_advice("Correct the file, or move it out of the way.");
}

void write_config(const std::string& directory, const ordered_json& config) {
  if (!path_exists(directory)) make_directories(directory, 0700);
  write_file_atomically(directory + "/config.json", config.dump(1, '\t') + "\n", 0600);
}

std::string text_of(const ordered_json& object, const std::string& name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// "": the file has them itself.
std::string helper_of(const ordered_json& config, const std::string& host) {
  const auto helpers = config.find("credHelpers");
  if (helpers != config.end() && helpers->is_object()) {
    for (const auto& key : {server_key(host), host}) {
      if (auto name = text_of(*helpers, key); !name.empty()) return "docker-credential-" + name;
    }
  }
  const auto store = text_of(config, "credsStore");
  return store.empty() ? "" : "docker-credential-" + store;
}

SubprocessResult run_helper(const std::string& helper, const std::string& action, const std::string& input,
                            const std::string& file, const std::stop_token& stop) {
  if (find_program(helper).empty()) {
    throw Error(ExitClass::host, fmt::format("the credential helper {} is not installed", helper))
        .with_advice(fmt::format("{} names it: install it or correct the file.", file));
  }
  return run_program({helper, action}, input, stop);
}

}  // namespace

void check_login(const std::string& host, const Credentials& credentials, const RegistryHosts& hosts,
                 const std::stop_token& stop) {
  RegistryOptions options;
  options.hosts = hosts;
  options.credentials = [&](const std::string&, const std::string&, std::stop_token) { return credentials; };
  EndpointTable table(options);
  const auto endpoint = table.origin(host, stop);
  HttpRequest request;
  request.url = endpoint->base + "/v2/";
  request.options = endpoint->http;
  request.throw_on_error = false;
  request.stop = stop;
  const auto response = send(*endpoint, request, "");
  if (response.status < 400) return;
  const bool refused = response.status == 401 || response.status == 403;
  throw Error(ExitClass::network, refused ? fmt::format("{} does not take this user name and password", host)
                                          : fmt::format("{} answered with status {}", request.url, response.status))
      .with_advice(refused ? "Many registries want an access token in the place of a password."
                           : "Is it a registry? Its name is HOST or HOST:PORT.");
}

LoginPlace store_login(const std::string& directory, const std::string& host, const Credentials& credentials,
                       const std::stop_token& stop) {
  LoginPlace place{.file = directory + "/config.json", .helper = {}};
  auto config = read_config(place.file);
  const auto key = server_key(host);
  place.helper = helper_of(config, host);
  if (place.helper.empty()) {
    config["auths"][key] = {{"auth", base64_encode(credentials.user + ":" + credentials.password)}};
    write_config(directory, config);
    return place;
  }
  const ordered_json entry = {{"ServerURL", key}, {"Username", credentials.user}, {"Secret", credentials.password}};
  const auto result = run_helper(place.helper, "store", entry.dump(), place.file, stop);
  if (result.status != 0) {
    throw Error(ExitClass::host, fmt::format("{} failed: {}", place.helper, trim(result.error + result.output)));
  }
  config["auths"][key] = ordered_json::object();  // docker lists the host so
  write_config(directory, config);
  return place;
}

bool erase_login(const std::string& directory, const std::string& host, const std::stop_token& stop) {
  const std::string file = directory + "/config.json";
  auto config = read_config(file);
  const auto key = server_key(host);
  bool found = false;
  if (const auto helper = helper_of(config, host); !helper.empty()) {
    found = run_helper(helper, "erase", key, file, stop).status == 0;
  }
  const auto auths = config.find("auths");
  if (auths == config.end() || !auths->is_object()) return found;
  std::size_t erased = 0;
  for (const auto& name : {key, host}) erased += auths->erase(name);
  if (erased == 0) return found;
  write_config(directory, config);
  return true;
}

}  // namespace mbuild::remote
