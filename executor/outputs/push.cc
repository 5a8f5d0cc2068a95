#include "executor/outputs/push.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

constexpr unsigned k_uploads_at_once = 6;

class Push {
 public:
  Push(const image::ImageSet& set, ImageSources& images, const image::OpenBlob& open_blob, EarlyUploads* early,
       std::stop_token stop)
      : set_(set), images_(images), open_blob_(open_blob), early_(early), stop_(std::move(stop)) {}

  void to(const remote::Repository& repository, const std::vector<std::string>& tags) {
    const auto top = image::top_level(set_);
    // Who has the top level has been given what it names: an image that is there takes one request a tag.
    std::vector<std::string> missing;
    for (const auto& tag : tags) {
      const auto& reference = tag.empty() ? top.descriptor.digest : tag;
      if (!images_.registry().has_manifest(repository, reference, top.descriptor.digest, stop_))
        missing.push_back(reference);
    }
    if (!missing.empty()) send_blobs(repository);
    finished_.push_back(repository);
    if (missing.empty()) return;
    for (const auto& image : set_.images) {
      if (image.manifest.digest == top.descriptor.digest) continue;
      push_manifest(repository, image.manifest.digest, image.manifest.media_type, image.manifest_bytes);
    }
    for (const auto& reference : missing) {
      push_manifest(repository, reference, top.descriptor.media_type, top.bytes);
    }
  }

 private:
  void push_manifest(const remote::Repository& repository, const std::string& reference, const std::string& type,
                     const std::string& bytes) {
    images_.registry().push_manifest(repository, reference, type, bytes, stop_);
  }

  void send_blobs(const remote::Repository& repository) {
    std::map<Digest, remote::Blob> blobs;
    std::map<Digest, const std::string*> configs;
    for (const auto& image : set_.images) {
      for (const auto& layer : image.layers) blobs[layer.digest] = {layer.digest, layer.size};
      configs[image.config.digest] = &image.config_bytes;
    }
    for (const auto& [digest, bytes] : configs) blobs[digest] = {digest, bytes->size()};
    std::vector<remote::Blob> wanted;
    for (const auto& [digest, blob] : blobs) wanted.push_back(blob);
    parallel_for(wanted.size(), k_uploads_at_once, [&](std::size_t i) {
      const bool early = early_ != nullptr && early_->repository() == repository;
      if (early && early_->sent(wanted[i].digest)) return;
      if (is_there(repository, wanted[i].digest)) return;
      if (const auto config = configs.find(wanted[i].digest); config != configs.end()) {
        const auto source = remote::upload_from_string(*config->second);
        return images_.registry().push_blob(repository, wanted[i], source, stop_);
      }
      const Fd file = open_blob_(wanted[i].digest);
      images_.registry().push_blob(repository, wanted[i], remote::upload_from_file(file.get()), stop_);
    });
  }

  // Whether the repository has the blob, from now on perhaps.
  bool is_there(const remote::Repository& repository, const Digest& digest) {
    auto& registry = images_.registry();
    if (registry.has_blob(repository, digest, stop_)) return true;
    const auto origin = elsewhere(repository, digest);
    return origin && registry.mount_blob(repository, digest, origin->name, stop_);
  }

  // Another repository of the same registry that has the blob: one that was just pushed to, or the base image's.
  std::optional<remote::Repository> elsewhere(const remote::Repository& repository, const Digest& digest) const {
    const auto finished = std::find_if(finished_.begin(), finished_.end(),
                                       [&](const auto& other) { return other.host == repository.host; });
    if (finished != finished_.end()) return *finished;
    const auto origin = images_.repository_of(digest);
    return origin && origin->host == repository.host ? origin : std::nullopt;
  }

  const image::ImageSet& set_;
  ImageSources& images_;
  const image::OpenBlob& open_blob_;
  EarlyUploads* const early_;
  std::stop_token stop_;
  std::vector<remote::Repository> finished_;
};

std::map<remote::Repository, std::vector<std::string>> tags_by_repository(const std::vector<std::string>& names,
                                                                          bool by_digest) {
  std::map<remote::Repository, std::vector<std::string>> tags;
  for (const auto& name : names) {
    const auto reference = frontend::parse_reference(name);
    tags[{reference.domain, reference.path}].push_back(by_digest ? "" : reference.tag);
  }
  return tags;
}

}  // namespace

remote::Repository first_repository(const std::vector<std::string>& names) {
  return tags_by_repository(names, false).begin()->first;
}

void push_images(const image::ImageSet& set, ImageSources& images, const image::OpenBlob& open_blob,
                 const PushOptions& options, std::stop_token stop) {
  if (set.names.empty()) {
    throw Error(ExitClass::usage, "tag is needed when pushing to registry")
        .with_advice("Name the image with -t HOST/NAME:TAG.");
  }
  const auto tags = tags_by_repository(set.names, options.by_digest);
  Push push(set, images, open_blob, options.early, std::move(stop));
  for (const auto& [repository, repository_tags] : tags) push.to(repository, repository_tags);
}

}  // namespace mbuild::executor
