#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

// Registry credentials as docker's and podman's command lines keep them.
namespace mbuild::remote {

struct Credentials {
  std::string user, password;
  std::string identity_token;  // an OAuth2 refresh token; used instead of user and password
  std::string registry_token;  // a bearer token, sent as it is

  bool empty() const { return user.empty() && identity_token.empty() && registry_token.empty(); }
};

// What to present to a registry host ("docker.io", "localhost:5000") for one of its repositories ("library/alpine", ""
// for none in particular); empty credentials mean anonymous access.
using CredentialSource =
    std::function<Credentials(const std::string& host, const std::string& repository, std::stop_token stop)>;

// Looks a variable of somebody's environment up; "" where it is not set.
using Variables = std::function<std::string(const char* name)>;

// The directory of docker's configuration: $DOCKER_CONFIG, else ~/.docker; "" when there is no home.
std::string docker_config_directory(const Variables& variable);

// The files with credentials of podman, skopeo and buildah, in the order in which they are asked: $REGISTRY_AUTH_FILE
// alone where it is set, else those of the user's session and of the user's configuration.
std::vector<std::string> container_auth_files(const Variables& variable);

// The name under which docker keeps a host's credentials.
std::string server_key(const std::string& host);

// Looks a repository up in the text of a config.json or auth.json: credHelpers, then credsStore (both run
// docker-credential-NAME), then auths. Keys are hosts, hosts with a part of a repository's name ("host/team": the
// longest counts), or URLs. Throws Error (usage) for malformed JSON and for an entry that can't be read, Error (host)
// when a helper is missing or fails. `login` is the command that advice names ("docker login").
Credentials find_credentials(const std::string& text, const std::string& host, const std::string& repository = {},
                             std::stop_token stop = {}, std::string_view login = "docker login");

// Reads the files at each call, and asks a helper for a host once. Missing files mean anonymous access.
CredentialSource stored_credentials(const std::string& docker_directory,
                                    const std::vector<std::string>& container_files);

}  // namespace mbuild::remote
