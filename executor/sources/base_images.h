#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/store.h"
#include "executor/api/build_request.h"
#include "executor/api/source_policy.h"
#include "frontend/frontend.h"
#include "oci/manifest.h"
#include "oci/select_image.h"
#include "remote/registry.h"

// Where base images come from, and where their layers are to be had when one is needed at last: OCI layouts and
// registries, and images that the user keeps in the store.
namespace mbuild::executor {

// Whom it is told what goes on with registries; each may be empty.
struct ImageListeners {
  remote::RetryListener retry;  // of every wait
  remote::TransferListener transfer;
  remote::MirrorListener mirror;
};

struct ImageOptions {
  remote::RegistryHosts registries;
  std::string docker_config;            // Surroundings
  std::vector<std::string> auth_files;  // likewise
  ImageListeners listeners;
  bool stored = true;  // a name of an image in the store means that image, where it has the platform
  std::shared_ptr<const SourcePolicy> policy;  // none: every image is allowed
};

// What requests say of the images that they name; `registries` are how they are to be talked to.
ImageOptions image_options(const SessionRequest& session, std::span<const TargetRequest> targets,
                           remote::RegistryHosts registries, ImageListeners listeners = {});

class ImageSources {
 public:
  ImageSources(cache::Store& store, ImageOptions options, std::stop_token stop)
      : store_(store), options_(std::move(options)), stop_(std::move(stop)) {}

  // Manifest and configuration only; no layer is read. Throws Error that names the reference.
  std::vector<frontend::ResolvedImage> resolve(const std::vector<frontend::ImageQuery>& queries);

  // The same image for another platform: `name` is as resolve() gave it. Throws Error where it can't be had.
  frontend::ResolvedImage resolve_other(const std::string& name, const platforms::Platform& platform);

  // The blob of a layer of a resolved image. Throws Error (internal) for an unknown diff id.
  image::Descriptor layer_descriptor(const Digest& diff_id) const;
  // Opens a blob of the store or, failing that, of where the image came from; one from a registry is kept in the store.
  // The reader of a layout's blob checks the digest.
  Fd open_blob(const image::Descriptor& descriptor);
  // Whether a blob has to be fetched from a registry.
  bool is_remote(const image::Descriptor& descriptor) const;
  // Fetches a blob that is_remote into the store; `reader` is given the bytes meanwhile, not verified yet.
  void pull(const image::Descriptor& descriptor, const remote::BlobSink& reader, const std::stop_token& stop);
  // Where a blob is to be had that is not in the store.
  struct Origin {
    std::string layout;  // directory of an OCI layout, or
    std::optional<remote::Repository> repository;
  };
  // A layer of an imported cache or a compiler pack, unless an image of the build has it: false then.
  bool add_layer(const Digest& diff_id, const image::Descriptor& descriptor, const Origin& origin);
  // One that was added and can't be had from there.
  void drop_layer(const Digest& diff_id);
  // Has a blob in the store, verified.
  void fetch_blob(const image::Descriptor& descriptor);
  // The repository that a blob was found in, if a registry has it.
  std::optional<remote::Repository> repository_of(const Digest& blob) const;

  remote::Registry& registry();

 private:
  frontend::ResolvedImage resolve_one(const frontend::ImageQuery& asked);
  image::ImageDescription describe(const frontend::ImageQuery& query, Origin& origin);
  std::optional<image::ImageDescription> describe_stored(const frontend::ImageQuery& query, std::string& damage);
  image::ImageDescription describe_from_registry(const frontend::ImageQuery& query, Origin& origin);
  std::string document(const remote::Repository& repository, const image::Descriptor& descriptor, bool is_manifest);
  Origin origin_of(const Digest& blob) const;
  void pull(const remote::Repository& repository, const image::Descriptor& descriptor, const remote::BlobSink& reader,
            const std::stop_token& stop);

  cache::Store& store_;
  const ImageOptions options_;
  std::stop_token stop_;
  mutable std::mutex mutex_;
  std::unique_ptr<remote::Registry> registry_;
  std::map<frontend::ImageQuery, frontend::ResolvedImage> resolved_;
  std::map<Digest, image::Descriptor> by_diff_id_;
  std::map<Digest, Origin> origins_;  // by blob digest
};

}  // namespace mbuild::executor
