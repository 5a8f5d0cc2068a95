#include "remote/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "remote/registry_endpoint.h"
#include "remote/registry_push.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

constexpr const char* k_accept =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, "
    "application/json;q=0.5, */*;q=0.1";
constexpr const char* k_index_type = "application/vnd.oci.image.index.v1+json";
constexpr std::size_t k_largest_manifest = std::size_t{16} << 20;

void check_digest_form(const std::string& digest) {
  if (is_sha256_digest(digest)) return;
  throw Error(ExitClass::usage, fmt::format("unsupported digest {}", digest))
      .with_advice("Digests are sha256: and 64 lower-case hex digits.");
}

constexpr unsigned k_attempts_if_corrupt = 3;

HttpError corrupt(std::string message) {
  HttpError error(HttpFailure::corrupt, 0, std::move(message),
                  "The registry or something on the way to it changed the bytes; nothing of them was used.");
  error.may_pass = true;
  return error;
}

HttpError digest_mismatch(const std::string& what, const Digest& got, const Digest& wanted) {
  return corrupt(fmt::format("{}: digest mismatch {}: {}", what, got, wanted));
}

// Asks again when the bytes were not the right ones: a defect on the way seldom strikes twice. Other failures have had
// their attempts.
template <typename Attempt>
void again_if_corrupt(const Endpoint& endpoint, const std::stop_token& stop, Attempt attempt) {
  HttpOptions options = endpoint.http;
  options.attempts = std::min(options.attempts, k_attempts_if_corrupt);
  with_retries(options, endpoint.on_retry, stop, [&] {
    try {
      attempt();
    } catch (HttpError& error) {
      error.may_pass = error.may_pass && error.failure == HttpFailure::corrupt;
      throw;
    }
  });
}

std::string separator_of(const std::string& reference) { return reference.find(':') != std::string::npos ? "@" : ":"; }

std::string shown(const Repository& repository, const std::string& reference) {
  return repository.to_string() + separator_of(reference) + reference;
}

// A Content-Type without its parameters; "" where it says nothing about a manifest.
std::string telling_type(std::string_view header) {
  std::string type(trim(header.substr(0, header.find(';'))));
  const bool vague = type == "application/json" || type == "application/octet-stream" || type.starts_with("text/");
  return vague ? "" : type;
}

// The media type, from the header or, where that says nothing, from the manifest itself.
std::string manifest_media_type(const HttpResponse& response, const std::string& what) {
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  if (!json.is_object()) throw Error(ExitClass::network, what + ": the registry sent no manifest");
  const bool lists = json.contains("manifests"), layers = json.contains("layers");
  if (lists && layers) {
    throw Error(ExitClass::network, what + ": both an image index and an image manifest")
        .with_advice("Such ambiguous manifests are an attack or a defect; have the image built anew.");
  }
  if (auto type = telling_type(response.header("content-type")); !type.empty()) return type;
  if (json.contains("mediaType") && json["mediaType"].is_string()) return json["mediaType"].get<std::string>();
  return lists ? k_index_type : "application/vnd.oci.image.manifest.v1+json";
}

// The target of `<TARGET>; rel="next"` among the links of a header (RFC 8288); "" where there is none.
std::string_view next_page(std::string_view links) {
  for (std::size_t open; (open = links.find('<')) != links.npos;) {
    const auto close = links.find('>', open);
    if (close == links.npos) break;
    const auto target = links.substr(open + 1, close - open - 1);
    links.remove_prefix(close);
    const auto parameters = links.substr(0, links.find('<'));
    if (parameters.find("rel=\"next\"") != parameters.npos || parameters.find("rel=next") != parameters.npos)
      return target;
  }
  return "";
}

// One blob on its way to its sink.
struct BlobTransfer {
  const Blob& blob;
  const BlobSink& sink;
  std::string what;
  Sha256 hash;
  std::uint64_t done = 0;

  void restart() {
    if (done > 0) sink.restart();
    hash = Sha256();
    done = 0;
  }

  void data(std::string_view bytes) {
    done += bytes.size();
    if (blob.size != 0 && done > blob.size) {
      throw corrupt(fmt::format("{}: longer than the {} bytes announced", what, blob.size));
    }
    hash.update(bytes);
    sink.data(bytes);
  }

  void verify() {
    if (blob.size != 0 && done != blob.size) {
      throw corrupt(fmt::format("{}: {} bytes instead of {}", what, done, blob.size));
    }
    if (const auto got = hash.digest(); got != blob.digest) throw digest_mismatch(what, got, blob.digest);
  }
};

class HttpRegistry final : public Registry {
 public:
  explicit HttpRegistry(RegistryOptions options)
      : on_transfer_(std::move(options.on_transfer)),
        on_mirror_(std::move(options.on_mirror)),
        endpoints_(std::move(options)) {}

  std::optional<Manifest> find_manifest(const Repository& repository, const std::string& reference,
                                        std::stop_token stop) override {
    std::optional<Manifest> found;
    from_any(repository, stop, [&](Endpoint& endpoint) {
      again_if_corrupt(endpoint, stop, [&] { found = get_manifest(endpoint, repository, reference, stop); });
      return found.has_value();
    });
    return found;
  }

  std::optional<ManifestInfo> find_manifest_info(const Repository& repository, const std::string& reference,
                                                 std::stop_token stop) override {
    std::optional<ManifestInfo> found;
    from_any(repository, stop, [&](Endpoint& endpoint) {
      found = head_manifest(endpoint, repository, reference, stop);
      return found.has_value();
    });
    return found;
  }

  void pull_blob(const Repository& repository, const Blob& blob, const BlobSink& sink, std::stop_token stop) override {
    check_digest_form(blob.digest);
    TransferMeter meter(on_transfer_,
                        {.repository = repository.to_string(), .digest = blob.digest, .total = blob.size});
    const BlobSink counted{.data =
                               [&](std::string_view bytes) {
                                 meter.advance(bytes.size());
                                 sink.data(bytes);
                               },
                           .restart =
                               [&] {
                                 meter.restart();
                                 sink.restart();
                               }};
    BlobTransfer transfer{blob, counted, fmt::format("{}@{}", repository.to_string(), blob.digest), {}};
    const bool found = from_any(repository, stop, [&](Endpoint& endpoint) {
      bool there = false;
      again_if_corrupt(endpoint, stop, [&] {
        transfer.restart();
        there = get_blob(endpoint, repository, transfer, stop);
      });
      return there;
    });
    if (found) return meter.done(blob.digest);
    throw HttpError(HttpFailure::status, 404, transfer.what + ": the registry does not have this blob",
                    "The image is incomplete on the registry: push it again.");
  }

  bool has_manifest(const Repository& repository, const std::string& reference, const Digest& digest,
                    std::stop_token stop) override {
    const auto endpoint = endpoints_.origin(repository.host, stop);
    const auto request = manifest_request(*endpoint, "HEAD", repository, reference, stop);
    const auto response = send(*endpoint, request, push_scope(endpoint->name(repository)));
    return response.ok() && response.header("docker-content-digest") == digest;
  }

  bool has_blob(const Repository& repository, const Digest& digest, std::stop_token stop) override {
    check_digest_form(digest);
    const auto endpoint = endpoints_.origin(repository.host, stop);
    HttpRequest request = to(*endpoint, "HEAD", endpoint->url(repository, "blobs/" + digest), stop);
    const auto response = send(*endpoint, request, push_scope(endpoint->name(repository)));
    // Some answer all kinds of things to a request that they don't allow: the upload will tell.
    const bool is_unknown = response.status >= 400 && response.status < 500 && response.status != 429;
    if (!response.ok() && !is_unknown) throw registry_error(request, response, repository);
    return response.ok();
  }

  std::vector<std::string> find_referrers(const Repository& repository, const Digest& subject,
                                          std::stop_token stop) override {
    check_digest_form(subject);
    const auto endpoint = endpoints_.origin(repository.host, stop);
    auto pages = get_referrers(*endpoint, repository, subject, stop);
    if (!pages.empty()) return pages;
    std::optional<Manifest> kept;
    again_if_corrupt(*endpoint, stop,
                     [&] { kept = get_manifest(*endpoint, repository, referrers_tag(subject), stop); });
    // There are registries that take the tag for the digest and send the subject.
    if (kept && kept->digest != subject && kept->media_type == k_index_type) pages.push_back(std::move(kept->bytes));
    return pages;
  }

  PushedManifest push_manifest(const Repository& repository, const std::string& reference,
                               const std::string& media_type, const std::string& bytes, std::stop_token stop) override {
    return remote::push_manifest(*endpoints_.origin(repository.host, stop), repository, reference, media_type, bytes,
                                 stop);
  }
  bool mount_blob(const Repository& repository, const Digest& digest, const std::string& from_name,
                  std::stop_token stop) override {
    check_digest_form(digest);
    return remote::mount_blob(*endpoints_.origin(repository.host, stop), repository, digest, from_name, stop);
  }
  void push_blob(const Repository& repository, const Blob& blob, const HttpUpload& source,
                 std::stop_token stop) override {
    check_digest_form(blob.digest);
    TransferMeter meter(
        on_transfer_,
        {.repository = repository.to_string(), .upload = true, .digest = blob.digest, .total = blob.size});
    remote::push_blob(*endpoints_.origin(repository.host, stop), repository, blob, counted(source, meter), stop);
    meter.done(blob.digest);
  }
  void push_stream(const Repository& repository, const HttpUpload& source, const std::function<Digest()>& digest,
                   std::stop_token stop) override {
    TransferMeter meter(on_transfer_, {.repository = repository.to_string(), .upload = true});
    Digest sent;
    remote::push_stream(
        *endpoints_.origin(repository.host, stop), repository, counted(source, meter), [&] { return sent = digest(); },
        stop);
    meter.done(sent);
  }

 private:
  static HttpUpload counted(const HttpUpload& source, TransferMeter& meter) {
    HttpUpload out = source;
    out.read = [&source, &meter](char* into, std::size_t room) {
      const auto n = source.read(into, room);
      meter.advance(n);
      return n;
    };
    if (source.rewind) {
      out.rewind = [&source, &meter] {
        meter.restart();
        source.rewind();
      };
    }
    return out;
  }

  // Asks the mirrors, then the registry, until `attempt` says true. What fails on a mirror is left to the next one.
  template <typename Attempt>
  bool from_any(const Repository& repository, const std::stop_token& stop, Attempt attempt) {
    const auto endpoints = endpoints_.for_pull(repository.host, stop);
    std::string passed_over;
    for (const auto& endpoint : endpoints) {
      if (endpoint == endpoints.back()) break;
      try {
        if (attempt(*endpoint)) return true;
        passed_over = fmt::format("{} has not all of {}", endpoint->address(), endpoint->name(repository));
      } catch (const Error& error) {
        if (error.exit_class != ExitClass::network) throw;
        if (!is_refusal(error)) endpoint->out_of_service = true;
        passed_over = fmt::format("{}: {}", endpoint->address(), error.what());
      }
      if (on_mirror_ && (endpoint->out_of_service || !endpoint->told_of_lack.exchange(true))) {
        on_mirror_(fmt::format("a mirror of {} is passed over: {}", repository.host, passed_over));
      }
    }
    try {
      return attempt(*endpoints.back());
    } catch (Error& error) {
      if (!passed_over.empty()) error.advice += fmt::format(" (A mirror was passed over: {}.)", passed_over);
      throw;
    }
  }

  // The mirror refuses this, and may have other things.
  static bool is_refusal(const Error& error) {
    const auto* http = dynamic_cast<const HttpError*>(&error);
    return http != nullptr && http->status >= 400 && http->status < 500 && http->status != 408 && http->status != 429;
  }

  static HttpRequest to(const Endpoint& endpoint, const char* method, std::string url, const std::stop_token& stop) {
    HttpRequest request;
    request.method = method;
    request.url = std::move(url);
    request.options = endpoint.http;
    request.stop = stop;
    return request;
  }

  static HttpRequest manifest_request(const Endpoint& endpoint, const char* method, const Repository& repository,
                                      const std::string& reference, const std::stop_token& stop) {
    if (reference.find(':') != std::string::npos) check_digest_form(reference);
    auto request = to(endpoint, method, endpoint.url(repository, "manifests/" + reference), stop);
    request.headers.emplace_back("Accept", k_accept);
    request.max_body = k_largest_manifest;
    return request;
  }

  static std::optional<Manifest> get_manifest(Endpoint& endpoint, const Repository& repository,
                                              const std::string& reference, const std::stop_token& stop) {
    const auto request = manifest_request(endpoint, "GET", repository, reference, stop);
    auto response = send(endpoint, request, pull_scope(endpoint.name(repository)));
    if (response.status == 404) return std::nullopt;
    if (!response.ok()) throw registry_error(request, response, repository);
    const std::string what = shown(repository, reference);
    Manifest manifest;
    manifest.media_type = manifest_media_type(response, what);
    manifest.digest = sha256(response.body);
    const std::string announced(response.header("docker-content-digest"));
    const bool by_digest = is_sha256_digest(reference);
    if (by_digest && manifest.digest != reference) throw digest_mismatch(what, manifest.digest, reference);
    if (!by_digest && is_sha256_digest(announced) && manifest.digest != announced) {
      throw digest_mismatch(what, manifest.digest, announced);
    }
    manifest.bytes = std::move(response.body);
    return manifest;
  }

  static std::optional<ManifestInfo> head_manifest(Endpoint& endpoint, const Repository& repository,
                                                   const std::string& reference, const std::stop_token& stop) {
    const auto request = manifest_request(endpoint, "HEAD", repository, reference, stop);
    const auto response = send(endpoint, request, pull_scope(endpoint.name(repository)));
    // There are registries that answer 404 to HEAD for what GET gives; a mirror is not asked twice.
    if (response.status == 404 && endpoint.mirror) return std::nullopt;
    const bool usable = response.ok() && is_sha256_digest(response.header("docker-content-digest")) &&
                        !telling_type(response.header("content-type")).empty();
    if (!usable && !response.ok() && response.status != 404 && response.status != 405)
      throw registry_error(request, response, repository);
    if (!usable) {  // some registries say too little: read the manifest itself
      const auto manifest = get_manifest(endpoint, repository, reference, stop);
      if (!manifest) return std::nullopt;
      return ManifestInfo{manifest->media_type, manifest->digest, manifest->bytes.size()};
    }
    ManifestInfo info;
    info.media_type = telling_type(response.header("content-type"));
    info.digest = response.header("docker-content-digest");
    info.size = std::strtoull(std::string(response.header("content-length")).c_str(), nullptr, 10);
    return info;
  }

  // Nothing where the registry has no such API, however it says so.
  static std::vector<std::string> get_referrers(Endpoint& endpoint, const Repository& repository, const Digest& subject,
                                                const std::stop_token& stop) {
    std::vector<std::string> pages;
    if (endpoint.lists_no_referrers) return pages;
    std::size_t bytes = 0;
    for (std::string url = endpoint.url(repository, "referrers/" + subject); !url.empty();) {
      auto request = to(endpoint, "GET", url, stop);
      request.headers.emplace_back("Accept", k_index_type);
      request.max_body = k_largest_manifest;
      auto response = send(endpoint, request, pull_scope(endpoint.name(repository)));
      if (pages.empty() && is_unknown_api(response)) {
        // Who may not see one repository's list may see another's.
        endpoint.lists_no_referrers = response.status != 401 && response.status != 403;
        return pages;
      }
      if (!response.ok()) throw registry_error(request, response, repository);
      bytes += response.body.size() + 1;
      pages.push_back(std::move(response.body));
      const auto next = next_page(response.header("link"));
      url = next.empty() ? "" : resolve_url(response.url, next);
      if (bytes > k_largest_manifest || (!url.empty() && !url.starts_with(endpoint.base + "/"))) {
        throw Error(ExitClass::network, fmt::format("{}: the list of what refers to {} is too long or leads elsewhere",
                                                    repository.to_string(), subject));
      }
    }
    return pages;
  }

  static bool is_unknown_api(const HttpResponse& response) {
    if (response.ok()) return telling_type(response.header("content-type")) != k_index_type;
    if (response.status == 408 || response.status == 429) return false;
    return (response.status >= 400 && response.status < 500) || response.status == 501;
  }

  static bool get_blob(Endpoint& endpoint, const Repository& repository, BlobTransfer& transfer,
                       const std::stop_token& stop) {
    auto request = to(endpoint, "GET", endpoint.url(repository, "blobs/" + transfer.blob.digest), stop);
    request.immutable_content = true;
    request.on_data = [&](std::string_view bytes) { transfer.data(bytes); };
    request.on_restart = [&] { transfer.restart(); };
    const auto response = send(endpoint, request, pull_scope(endpoint.name(repository)));
    if (response.status == 404) return false;
    if (!response.ok()) throw registry_error(request, response, repository);
    transfer.verify();
    return true;
  }

  const TransferListener on_transfer_;
  const MirrorListener on_mirror_;
  EndpointTable endpoints_;
};

}  // namespace

std::string referrers_tag(const Digest& subject) { return fmt::format("sha256-{}", digest_hex(subject)); }

HttpError no_manifest(const Repository& repository, const std::string& reference) {
  return HttpError(HttpFailure::status, 404, shown(repository, reference) + ": not found",
                   fmt::format("Check the name and the tag: {} has no such image.", repository.host));
}

Manifest require_manifest(Registry& registry, const Repository& repository, const std::string& reference,
                          std::stop_token stop) {
  auto manifest = registry.find_manifest(repository, reference, stop);
  if (manifest) return *std::move(manifest);
  throw no_manifest(repository, reference);
}

std::unique_ptr<Registry> make_http_registry(RegistryOptions options) {
  return std::make_unique<HttpRegistry>(std::move(options));
}

}  // namespace mbuild::remote
