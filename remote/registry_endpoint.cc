#include "remote/registry_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

constexpr unsigned k_attempts_at_mirror = 2;  // there is somebody else to ask

std::string server_of(const std::string& host) {
  return host == "docker.io" || host == "index.docker.io" ? "registry-1.docker.io" : host;
}

std::string origin_of(const std::string& url) {
  const auto parsed = parse_url(url);
  return parsed ? parsed->scheme + "://" + parsed->authority() : "";
}

// Whether something at `base` answers as an HTTP server of this scheme should.
bool answers(const std::string& base, HttpOptions http, const std::stop_token& stop) {
  HttpRequest probe;
  probe.url = base + "/v2/";
  probe.options = std::move(http);
  probe.options.attempts = 1;
  probe.options.connect_timeout = std::min(probe.options.connect_timeout, std::chrono::milliseconds(5'000));
  probe.options.stall_timeout = std::min(probe.options.stall_timeout, std::chrono::seconds(5));
  probe.throw_on_error = false;
  probe.stop = stop;
  try {
    return http_request(probe).status != 400;  // what TLS servers answer to plain HTTP
  } catch (const HttpError&) {
    return false;
  }
}

// The codes and messages of a registry's error body: "MANIFEST_UNKNOWN: manifest unknown".
std::string registry_words(const std::string& body) {
  const auto value = nlohmann::json::parse(body, nullptr, false);
  if (!value.is_object() || !value.contains("errors") || !value["errors"].is_array()) return "";
  std::string words;
  for (const auto& error : value["errors"]) {
    if (!error.is_object()) continue;
    for (const char* name : {"code", "message"}) {
      if (!error.contains(name) || !error[name].is_string()) continue;
      if (!words.empty()) words += std::string_view(name) == "code" ? "; " : ": ";
      words += error[name].get<std::string>();
    }
  }
  return words;
}

}  // namespace

namespace {

// Loopback is trusted, unless somebody took the trouble to say by what its certificate is to be checked.
bool is_insecure(const RegistryHost& host, const std::string& server) {
  return host.insecure || (is_loopback(server) && host.ca_file.empty());
}

}  // namespace

HttpOptions EndpointTable::http_options(const RegistryHost& host, bool insecure) const {
  HttpOptions http = options_.http;
  if (!host.ca_file.empty()) http.ca_file = host.ca_file;
  http.client_certificate = host.client_certificate;
  http.client_key = host.client_key;
  if (insecure) http.verify_tls = false;
  return http;
}

std::shared_ptr<Endpoint> EndpointTable::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = endpoints_.find(key);
  return it != endpoints_.end() ? it->second : nullptr;
}

std::shared_ptr<Endpoint> EndpointTable::keep(const std::string& key, std::string base, const std::string& host,
                                              const RegistryHost& configuration, bool insecure, std::string prefix,
                                              bool is_mirror) {
  HttpOptions http = http_options(configuration, insecure);
  if (is_mirror) http.attempts = std::min(http.attempts, k_attempts_at_mirror);
  const std::lock_guard lock(mutex_);
  auto& slot = endpoints_[key];
  if (!slot) {
    slot.reset(new Endpoint{std::move(base), std::move(prefix), is_mirror, http,
                            Authorizer(host, options_.credentials, http), options_.on_retry, configuration.chunk_size,
                            false, false, false});
  }
  return slot;
}

std::shared_ptr<Endpoint> EndpointTable::origin(const std::string& host, const std::stop_token& stop) {
  if (auto known = find(host)) return known;
  const RegistryHost& settings = options_.hosts.of(host);
  const std::string server = server_of(host);
  const bool insecure = is_insecure(settings, server);
  const std::string https = "https://" + server, http = "http://" + server;
  std::string base = settings.plain_http ? http : https;
  if (!settings.plain_http && insecure) {
    // One of two schemes: the likelier one is asked first, and taken for granted if neither answers.
    const bool http_first = is_loopback(server) && !server.ends_with(":443");
    const auto options = http_options(settings, insecure);
    const std::string& first = http_first ? http : https;
    const std::string& second = http_first ? https : http;
    base = answers(first, options, stop) || !answers(second, options, stop) ? first : second;
  }
  return keep(host, base, host, settings, insecure);
}

std::shared_ptr<Endpoint> EndpointTable::mirror(std::string address) {
  if (!parse_url(address)) address = "https://" + address;
  const auto place = mirror_place(address);
  const std::string key = "mirror " + place.base + " " + place.prefix;  // no host's name
  if (auto known = find(key)) return known;
  const std::string server = parse_url(address)->authority();
  const RegistryHost& settings = options_.hosts.of(server);
  return keep(key, place.base, server, settings, is_insecure(settings, server), place.prefix, true);
}

std::vector<std::shared_ptr<Endpoint>> EndpointTable::for_pull(const std::string& host, const std::stop_token& stop) {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (const auto& address : options_.hosts.of(host).mirrors) {
    auto endpoint = mirror(address);
    if (!endpoint->out_of_service) endpoints.push_back(std::move(endpoint));
  }
  endpoints.push_back(origin(host, stop));
  return endpoints;
}

MirrorPlace mirror_place(const std::string& address) {
  const auto url = parse_url(address);
  std::string before, after;
  bool seen = false;
  for (const auto& component : split(url ? url->path : "", '/')) {
    if (component.empty()) continue;
    if (component == "v2" && !seen) {
      before = std::move(after);
      after.clear();
      seen = true;
    } else {
      after += component + "/";
    }
  }
  if (!before.empty()) before = "/" + before.substr(0, before.size() - 1);
  return {url ? url->scheme + "://" + url->authority() + before : address, after};
}

std::string pull_scope(const std::string& name) { return "repository:" + name + ":pull"; }
std::string push_scope(const std::string& name) { return "repository:" + name + ":pull,push"; }

namespace {

// The same server over TLS: what a proxy that ends TLS makes of a registry's own addresses when it does not tell it.
std::string with_own_scheme(const Endpoint& endpoint, const std::string& url) {
  const bool downgraded = endpoint.base.starts_with("https://") && url.starts_with("http://");
  if (!downgraded) return url;
  std::string secure = "https://" + url.substr(7);
  return origin_of(secure) == origin_of(endpoint.base) ? secure : url;
}

// A request, with advice for what goes wrong between two that don't speak the same.
HttpResponse exchange(const Endpoint& endpoint, const HttpRequest& request) {
  try {
    return http_request(request);
  } catch (HttpError& error) {
    const auto url = parse_url(request.url);
    if (!url) throw;
    const bool own = origin_of(request.url) == origin_of(endpoint.base);
    if (error.failure == HttpFailure::tls && own) {
      error.advice = fmt::format(
          "If {0} speaks http and not https, write `plain-http = true` below [registry.\"{0}\"] in mbuild's "
          "configuration file.",
          url->authority());
    } else if (!own && (error.failure == HttpFailure::resolve || error.failure == HttpFailure::connect)) {
      error.advice = fmt::format(
          "{} sends its clients to {}, which can't be reached: the address that it has for itself (its external URL, "
          "or the headers of a proxy before it) is wrong, or the network does not let you there.",
          endpoint.base, url->authority());
    }
    throw;
  }
}

}  // namespace

HttpResponse send(Endpoint& endpoint, HttpRequest request, const std::string& scope) {
  request.throw_on_error = false;
  request.on_retry = endpoint.on_retry;
  request.url = with_own_scheme(endpoint, request.url);
  // A registry may send uploads to another server, whose business our credentials are not.
  const bool own = origin_of(request.url) == origin_of(endpoint.base);
  const std::size_t plain_headers = request.headers.size();
  std::string authorization = own ? endpoint.authorizer.known(scope, request.stop) : "";
  for (bool answered = false;; answered = true) {
    request.headers.resize(plain_headers);
    if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
    HttpResponse response = exchange(endpoint, request);
    const bool asked = response.status == 401 && origin_of(response.url) == origin_of(endpoint.base);
    if (!asked || answered || (request.upload && !request.upload->rewind)) return response;
    const auto answer = endpoint.authorizer.answer(response, scope, authorization, request.stop);
    if (!answer) return response;
    authorization = *answer;
    if (request.upload) request.upload->rewind();
  }
}

bool has_code(const HttpResponse& response, std::string_view code) {
  return registry_words(response.body).find(code) != std::string::npos;
}

HttpError registry_error(const HttpRequest& request, const HttpResponse& response, const Repository& repository) {
  HttpResponse shown = response;
  if (const auto words = registry_words(response.body); !words.empty()) {
    shown.body = words;
    shown.headers.clear();
  }
  HttpError error = http_status_error(request.method, shown);
  if (response.status == 401 || response.status == 403) {
    error.advice =
        fmt::format("{0} does not exist, or needs other credentials: run `docker login {1}` or `podman login {1}`.",
                    repository.to_string(), repository.host);
  } else if (response.status == 404 && request.method == "POST") {
    error.advice = fmt::format(
        "Check the name {}; there are registries on which a repository, or the project that it "
        "is in, has to be made before something is pushed to it.",
        repository.to_string());
  } else if (response.status == 404) {
    error.advice = fmt::format("Check that {} exists on the registry.", repository.to_string());
  } else if (response.status == 400 && request.url.starts_with("http://") &&
             response.body.find("HTTPS") != std::string::npos) {
    error.advice =
        fmt::format("{} speaks https: leave out plain-http in mbuild's configuration file.", repository.host);
  } else if (response.status == 429) {
    error.advice =
        fmt::format("{0} limits pulls: run `docker login {0}`, use a mirror, or try again later.", repository.host);
  }
  error.with_context(repository.to_string());
  return error;
}

}  // namespace mbuild::remote
