#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

// Registry credentials as the docker command line keeps them.
namespace mbuild::remote {

struct Credentials {
  std::string user, password;
  std::string identity_token;  // an OAuth2 refresh token; used instead of user and password
  std::string registry_token;  // a bearer token, sent as it is

  bool empty() const { return user.empty() && identity_token.empty() && registry_token.empty(); }
};

// What to present to a registry host ("docker.io", "localhost:5000"); empty credentials mean anonymous access.
using CredentialSource = std::function<Credentials(const std::string& host, std::stop_token stop)>;

// The directory of docker's configuration: $DOCKER_CONFIG, else ~/.docker; "" when there is no home.
std::string docker_config_directory();

// Looks a host up in a config.json text: credHelpers, then credsStore (both run docker-credential-NAME), then auths.
// Throws Error (usage) for malformed JSON, Error (host) when a helper is missing or fails.
Credentials find_credentials(const std::string& config_json, const std::string& host, std::stop_token stop = {});

// Reads DIRECTORY/config.json at each call; a missing file means anonymous access.
CredentialSource docker_credentials(std::string directory = docker_config_directory());

}  // namespace mbuild::remote
