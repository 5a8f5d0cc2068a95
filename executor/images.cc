#include "executor/images.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "frontend/reference.h"
#include "image/oci_layout.h"

namespace mbuild::executor {

remote::Registry& ImageSources::registry() {
  const std::lock_guard lock(mutex_);
  if (!registry_) {
    remote::RegistryOptions options;
    options.credentials = remote::docker_credentials();
    registry_ = remote::make_http_registry(std::move(options));
  }
  return *registry_;
}

std::vector<frontend::ResolvedImage> ImageSources::resolve(const std::vector<frontend::ImageQuery>& queries) {
  std::vector<frontend::ResolvedImage> answers;
  for (const auto& query : queries) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = resolved_.find(query); known != resolved_.end()) {
        answers.push_back(known->second);
        continue;
      }
    }
    answers.push_back(resolve_one(query));
    const std::lock_guard lock(mutex_);
    resolved_.emplace(query, answers.back());
  }
  return answers;
}

image::ImageDescription ImageSources::describe(const frontend::ImageQuery& query, Origin& origin) {
  if (!query.reference.starts_with("oci-layout://")) return describe_from_registry(query, origin);
  const auto reference = image::parse_layout_reference(query.reference);
  origin.layout = reference.directory;
  return image::read_layout_image(reference, query.platform);
}

image::ImageDescription ImageSources::describe_from_registry(const frontend::ImageQuery& query, Origin& origin) {
  const auto reference = frontend::with_default_tag(frontend::parse_reference(query.reference));
  const remote::Repository repository{reference.domain, reference.path};
  origin.repository = repository;
  const std::string wanted = reference.digest.empty() ? reference.tag : reference.digest;
  const auto top = remote::require_manifest(registry(), repository, wanted, stop_);
  const image::Descriptor descriptor{.media_type = top.media_type, .digest = top.digest, .size = top.bytes.size()};
  const auto read = [&](const image::Descriptor& document) {
    if (document.digest == top.digest) return top.bytes;
    if (image::is_manifest_type(document.media_type) || image::is_index_type(document.media_type)) {
      return remote::require_manifest(registry(), repository, document.digest, stop_).bytes;
    }
    pull(repository, document);
    return read_file(store_.blob_path(document.digest));
  };
  return image::select_image(descriptor, query.platform, read, query.reference, !image::is_index_type(top.media_type));
}

frontend::ResolvedImage ImageSources::resolve_one(const frontend::ImageQuery& query) {
  Origin origin;
  image::ImageDescription description;
  try {
    description = describe(query, origin);
  } catch (Error& error) {
    error.with_context("failed to resolve source metadata for " + query.reference);
    throw;
  }
  frontend::ResolvedImage resolved;
  resolved.identifier = fmt::format("image://{}@{}", query.reference, description.manifest_digest);
  resolved.config = frontend::parse_image_config(description.config_bytes);
  if (resolved.config.diff_ids.size() != description.manifest.layers.size()) {
    throw Error(ExitClass::network,
                fmt::format("{}: the manifest has {} layers but the configuration names {}", query.reference,
                            description.manifest.layers.size(), resolved.config.diff_ids.size()));
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < resolved.config.diff_ids.size(); ++i) {
    const auto& descriptor = description.manifest.layers[i];
    by_diff_id_.emplace(resolved.config.diff_ids[i], descriptor);
    origins_.emplace(descriptor.digest, origin);
  }
  return resolved;
}

image::Descriptor ImageSources::layer_descriptor(const Digest& diff_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_diff_id_.find(diff_id);
  if (found == by_diff_id_.end()) throw Error(ExitClass::internal, "no image of this build has the layer " + diff_id);
  return found->second;
}

std::optional<remote::Repository> ImageSources::repository_of(const Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto found = origins_.find(blob);
  return found == origins_.end() ? std::nullopt : found->second.repository;
}

// Into the store, under its final name once the registry client has verified it.
void ImageSources::pull(const remote::Repository& repository, const image::Descriptor& descriptor) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (path_exists(path)) return;
  const std::string partial = fmt::format("{}.{}.partial", path, random_hex(4));
  const Fd out = open_file(partial, O_RDWR | O_CREAT | O_EXCL, 0644);
  try {
    registry().pull_blob(repository, {descriptor.digest, descriptor.size},
                         {.data = [&](std::string_view bytes) { write_all(out.get(), bytes); },
                          .restart =
                              [&] {
                                if (::ftruncate(out.get(), 0) < 0 || ::lseek(out.get(), 0, SEEK_SET) < 0) {
                                  throw system_error(errno, "start again with " + partial);
                                }
                              }},
                         stop_);
    if (::rename(partial.c_str(), path.c_str()) < 0) throw system_error(errno, "rename to " + path);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

Fd ImageSources::open_blob(const image::Descriptor& descriptor) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (path_exists(path)) return open_file(path, O_RDONLY);
  Origin origin;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = origins_.find(descriptor.digest); found != origins_.end()) origin = found->second;
  }
  if (!origin.layout.empty()) return image::open_layout_blob(origin.layout, descriptor);
  if (!origin.repository) {
    throw Error(ExitClass::store, "the store has lost the blob " + descriptor.digest)
        .with_advice("Run the build again; if it stays so, remove the store's index.db.");
  }
  pull(*origin.repository, descriptor);
  return open_file(path, O_RDONLY);
}

}  // namespace mbuild::executor
