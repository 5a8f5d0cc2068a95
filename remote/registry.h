#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "remote/credentials.h"
#include "remote/http.h"
#include "remote/transfer.h"

// The OCI distribution protocol: manifests and blobs of image registries.
namespace mbuild::remote {

struct Repository {
  std::string host;  // "docker.io", "localhost:5000"
  std::string name;  // "library/alpine"

  std::string to_string() const { return host + "/" + name; }
  auto operator<=>(const Repository&) const = default;
};

struct Manifest {
  std::string media_type;
  Digest digest;      // of `bytes`, verified
  std::string bytes;  // exactly as the registry sent them
};

struct ManifestInfo {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
};

struct PushedManifest {
  Digest digest;
  bool subject_listed = false;  // it has a subject, and the registry lists it among what refers to that
};

struct Blob {
  Digest digest;
  std::uint64_t size = 0;  // 0: not known
};

// Receives a blob. `restart` is called when what came so far is void and the first byte comes again.
struct BlobSink {
  std::function<void(std::string_view)> data;
  std::function<void()> restart;
};

// The transport to registries. Implementations may be called from many threads at once; every call blocks, throws Error
// (network) that names the repository, and Cancelled soon after stop is requested.
class Registry {
 public:
  virtual ~Registry() = default;

  // `reference` is a tag or a digest. Nothing when the registry does not have it.
  virtual std::optional<Manifest> find_manifest(const Repository& repository, const std::string& reference,
                                                std::stop_token stop) = 0;
  // The same without the bytes (HEAD, not counted by pull limits). The digest is the registry's word, not verified.
  virtual std::optional<ManifestInfo> find_manifest_info(const Repository& repository, const std::string& reference,
                                                         std::stop_token stop) = 0;
  // Image indexes of what refers to a manifest, as their bytes: the pages of the referrers API or, where the registry
  // has none, what is under the manifest's referrers_tag (OCI distribution specification 1.1, "Listing Referrers").
  // Mirrors are not asked.
  virtual std::vector<std::string> find_referrers(const Repository& repository, const Digest& subject,
                                                  std::stop_token stop) = 0;
  // Stores a manifest under a tag or its digest. All it refers to must be there.
  virtual PushedManifest push_manifest(const Repository& repository, const std::string& reference,
                                       const std::string& media_type, const std::string& bytes,
                                       std::stop_token stop) = 0;

  // Whether `reference` is that manifest on the registry itself, whatever mirrors have.
  virtual bool has_manifest(const Repository& repository, const std::string& reference, const Digest& digest,
                            std::stop_token stop) = 0;
  virtual bool has_blob(const Repository& repository, const Digest& digest, std::stop_token stop) = 0;
  // Streams a blob to `sink`; digest and size are verified before this returns, so the caller must not use the bytes
  // before that. Interrupted transfers go on where they stopped.
  virtual void pull_blob(const Repository& repository, const Blob& blob, const BlobSink& sink,
                         std::stop_token stop) = 0;
  // Makes a blob of another repository of the same host available in this one; false when the registry can't.
  virtual bool mount_blob(const Repository& repository, const Digest& digest, const std::string& from_name,
                          std::stop_token stop) = 0;
  // Uploads a blob of known digest, in one request unless the host has a chunk size. Does not ask whether it is there.
  virtual void push_blob(const Repository& repository, const Blob& blob, const HttpUpload& source,
                         std::stop_token stop) = 0;
  // Uploads bytes while they are made; when all are read, `digest` is asked what they turned out to be.
  virtual void push_stream(const Repository& repository, const HttpUpload& source,
                           const std::function<Digest()>& digest, std::stop_token stop) = 0;
};

// The tag under which clients keep the index of what refers to a manifest, on registries that do not do it themselves.
std::string referrers_tag(const Digest& subject);

// "HOST/NAME:TAG: not found" with advice.
HttpError no_manifest(const Repository& repository, const std::string& reference);
// find_manifest, or no_manifest thrown.
Manifest require_manifest(Registry& registry, const Repository& repository, const std::string& reference,
                          std::stop_token stop);

// Configuration of one host.
struct RegistryHost {
  std::vector<std::string> mirrors;  // "https://mirror.example[/project]": asked first for pulls
  bool insecure = false;             // TLS certificates are not verified, and http is tried after https
  bool plain_http = false;           // http only
  std::string ca_file;               // PEM
  std::string client_certificate;    // PEM
  std::string client_key;            // PEM; "" where it is in the certificate's file
  std::uint64_t chunk_size = 0;      // no request has a longer body when a blob is pushed; 0: no bound
};

struct RegistryHosts {
  std::map<std::string, RegistryHost> hosts;  // by "docker.io", "localhost:5000"
  RegistryHost others;                        // all that are not among `hosts`

  const RegistryHost& of(const std::string& host) const {
    const auto it = hosts.find(host);
    return it != hosts.end() ? it->second : others;
  }
};

// Told when a mirror is passed over, and why: once for what it lacks, once when it fails.
using MirrorListener = std::function<void(std::string_view reason)>;

struct RegistryOptions {
  RegistryHosts hosts;
  CredentialSource credentials;  // none: anonymous
  HttpOptions http;              // ca_file and verify_tls are overridden per host
  RetryListener on_retry;
  TransferListener on_transfer;
  MirrorListener on_mirror;
};

// The implementation over HTTP. docker.io is at registry-1.docker.io. Hosts localhost, 127.0.0.0/8 and ::1 count as
// insecure unless a CA is configured for them, and there http is tried before https, unless the port is 443.
std::unique_ptr<Registry> make_http_registry(RegistryOptions options);

}  // namespace mbuild::remote
