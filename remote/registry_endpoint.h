#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "remote/registry.h"
#include "remote/registry_auth.h"

// The servers that stand behind registry host names, and authorized requests to them.
namespace mbuild::remote {

// One server: "https://registry-1.docker.io", or a mirror.
struct Endpoint {
  std::string base;    // what "/v2/" follows: scheme, authority, seldom a path; no slash at the end
  std::string prefix;  // of the names of repositories, for mirrors that are a part of a registry: "hub/", or ""
  bool mirror = false;
  HttpOptions http;
  Authorizer authorizer;
  RetryListener on_retry;
  std::uint64_t chunk_size = 0;
  std::atomic<bool> lists_no_referrers;  // it has no referrers API, for any repository
  std::atomic<bool> out_of_service;      // a mirror that could not be reached or sent nonsense
  std::atomic<bool> told_of_lack;        // it was said that this mirror has not everything

  // What the repository is called here.
  std::string name(const Repository& repository) const { return prefix + repository.name; }
  std::string url(const Repository& repository, const std::string& rest) const {
    return base + "/v2/" + name(repository) + "/" + rest;
  }
  std::string address() const { return prefix.empty() ? base : base + "/" + prefix.substr(0, prefix.size() - 1); }
};

// The endpoints of all hosts; made when first needed, kept for their connections' and tokens' sake. Thread-safe.
class EndpointTable {
 public:
  explicit EndpointTable(RegistryOptions options) : options_(std::move(options)) {}

  // The registry itself.
  std::shared_ptr<Endpoint> origin(const std::string& host, const std::stop_token& stop);
  // The mirrors, then the registry itself.
  std::vector<std::shared_ptr<Endpoint>> for_pull(const std::string& host, const std::stop_token& stop);

 private:
  HttpOptions http_options(const RegistryHost& host, bool insecure) const;
  std::shared_ptr<Endpoint> find(const std::string& key);
  std::shared_ptr<Endpoint> mirror(std::string address);
  std::shared_ptr<Endpoint> keep(const std::string& key, std::string base, const std::string& host,
                                 const RegistryHost& configuration, bool insecure, std::string prefix = {},
                                 bool is_mirror = false);

  const RegistryOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;
};

// What "/v2/" follows at a mirror, and what is put before the names of repositories. "https://h/hub" has them below
// "/v2/hub/", as registries lay out their proxy caches; an address in which "v2" is a component of the path already is
// taken as it is.
struct MirrorPlace {
  std::string base, prefix;
};
MirrorPlace mirror_place(const std::string& address);

std::string pull_scope(const std::string& name);
std::string push_scope(const std::string& name);

// Sends a request, answering an authentication challenge if one comes. Statuses are for the caller to judge.
HttpResponse send(Endpoint& endpoint, HttpRequest request, const std::string& scope);

// Whether the registry's own words for an error have this code ("BLOB_UPLOAD_UNKNOWN") among them.
bool has_code(const HttpResponse& response, std::string_view code);

// The error for a response of a registry, with the registry's own error codes and advice about `repository`.
HttpError registry_error(const HttpRequest& request, const HttpResponse& response, const Repository& repository);

}  // namespace mbuild::remote
