#include "executor/sources/base_images.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/partial_file.h"
#include "image/oci_layout.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_largest_document = std::uint64_t{16} << 20;

void check_layers(const frontend::ImageQuery& query, const image::ImageDescription& description, std::size_t diff_ids) {
  const auto& layers = description.manifest.layers;
  for (const auto& layer : layers) {
    if (image::is_layer_type(layer.media_type)) continue;
    throw Error(ExitClass::network,
                fmt::format("{}: {} is no media type of a file system layer", query.reference, layer.media_type))
        .with_advice("What has this name is not an image for containers, or its layers are encrypted.");
  }
  if (diff_ids == layers.size()) return;
  throw Error(ExitClass::network, fmt::format("{}: the manifest has {} layers but the configuration names {}",
                                              query.reference, layers.size(), diff_ids))
      .with_advice("The image on the registry is inconsistent: have it pushed again.");
}

}  // namespace

ImageOptions image_options(const SessionRequest& session, std::span<const TargetRequest> targets,
                           remote::RegistryHosts registries, ImageListeners listeners) {
  return {.registries = std::move(registries),
          .docker_config = session.surroundings.docker_config,
          .auth_files = session.surroundings.auth_files,
          .listeners = std::move(listeners),
          .stored = !std::ranges::any_of(targets, [](const auto& target) { return target.pull; }),
          .policy = session.source_policy};
}

remote::Registry& ImageSources::registry() {
  const std::lock_guard lock(mutex_);
  if (!registry_) {
    remote::RegistryOptions options;
    options.hosts = options_.registries;
    options.credentials = remote::stored_credentials(options_.docker_config, options_.auth_files);
    options.on_retry = options_.listeners.retry;
    options.on_transfer = options_.listeners.transfer;
    options.on_mirror = options_.listeners.mirror;
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
    try {
      answers.push_back(resolve_one(query));
    } catch (const Error& error) {
      throw frontend::ImageUnavailable(query, error);
    }
    const std::lock_guard lock(mutex_);
    resolved_.emplace(query, answers.back());
  }
  return answers;
}

frontend::ResolvedImage ImageSources::resolve_other(const std::string& name, const platforms::Platform& platform) {
  std::string reference;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [query, image] : resolved_) {
      if (image.name == name) reference = query.reference;
    }
  }
  if (reference.empty()) throw Error(ExitClass::internal, "no image of this build is " + name);
  return resolve({{reference, platform}}).front();
}

image::ImageDescription ImageSources::describe(const frontend::ImageQuery& query, Origin& origin) {
  if (!query.reference.starts_with("oci-layout://")) {
    std::string damage;
    if (auto stored = describe_stored(query, damage)) return std::move(*stored);
    try {
      return describe_from_registry(query, origin);
    } catch (Error& error) {
      if (!damage.empty()) error.advice = damage;
      throw;
    }
  }
  const auto reference = image::parse_layout_reference(query.reference);
  origin.layout = reference.directory;
  return image::read_layout_image(reference, query.platform);
}

// As with a Docker engine, an image that was built here before goes before the registry, unless --pull asks for that.
// One that is damaged is none; `damage` says so, should nobody else have it.
std::optional<image::ImageDescription> ImageSources::describe_stored(const frontend::ImageQuery& query,
                                                                     std::string& damage) {
  if (!options_.stored) return std::nullopt;
  const auto name = frontend::to_string(frontend::with_default_tag(frontend::parse_reference(query.reference)));
  const auto stored = store_.find_image(name);
  if (!stored) return std::nullopt;
  const std::string damaged = fmt::format(
      "the image {} that the store keeps is damaged: build it again, or forget it with: mbuild images rm {}", name,
      name);
  const auto read = [&](const image::Descriptor& document) {
    if (store_.use_blob(document.digest, document.size)) {
      if (auto bytes = read_file(store_.blob_path(document.digest)); sha256(bytes) == document.digest) return bytes;
    }
    damage = damaged;
    throw Error(ExitClass::store, damage);
  };
  if (!std::ranges::all_of(stored->blobs, [&](const Digest& blob) { return path_exists(store_.blob_path(blob)); })) {
    damage = damaged;
    return std::nullopt;
  }
  const image::Descriptor top{.media_type = stored->media_type, .digest = stored->digest, .size = stored->size};
  try {
    const auto there = image::image_platforms(top, read);
    const bool fits = std::ranges::any_of(
        there, [&](const auto& platform) { return platforms::satisfies(platform, query.platform); });
    if (!fits) return std::nullopt;
    check_pinned_image(options_.policy.get(), query.reference, top.digest);
    return image::select_image(top, query.platform, read, query.reference, false);
  } catch (const Error&) {
    if (damage.empty()) throw;
    return std::nullopt;
  }
}

image::ImageDescription ImageSources::describe_from_registry(const frontend::ImageQuery& query, Origin& origin) {
  const auto reference = frontend::with_default_tag(frontend::parse_reference(query.reference));
  const remote::Repository repository{reference.domain, reference.path};
  origin.repository = repository;
  image::Descriptor top{.digest = reference.digest};
  if (top.digest.empty()) {
    const auto info = registry().find_manifest_info(repository, reference.tag, stop_);
    if (!info) throw remote::no_manifest(repository, reference.tag);
    top.media_type = info->media_type;
    top.digest = info->digest;
  }
  const auto read = [&](const image::Descriptor& wanted) {
    return document(repository, wanted,
                    wanted.digest == top.digest || image::is_manifest_type(wanted.media_type) ||
                        image::is_index_type(wanted.media_type));
  };
  check_pinned_image(options_.policy.get(), query.reference, top.digest);
  const std::string bytes = read(top);
  image::check_is_image_or_index(bytes, top.media_type);
  top.media_type = image::is_index_document(bytes) ? image::media_type::k_oci_index : image::media_type::k_oci_manifest;
  return image::select_image(top, query.platform, read, query.reference, !image::is_index_document(bytes));
}

// A manifest, index or configuration: what the store has is not asked for again.
std::string ImageSources::document(const remote::Repository& repository, const image::Descriptor& descriptor,
                                   bool is_manifest) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (descriptor.size > k_largest_document) {
    throw Error(ExitClass::network,
                fmt::format("{} is said to have {} bytes: too many for a manifest or a configuration",
                            descriptor.digest, descriptor.size));
  }
  std::string bytes;
  if (store_.use_blob(descriptor.digest, descriptor.size)) bytes = read_file(path);
  if (bytes.empty() || sha256(bytes) != descriptor.digest) {
    if (is_manifest) {
      bytes = remote::require_manifest(registry(), repository, descriptor.digest, stop_).bytes;
      write_file_atomically(path, bytes, 0600);
      store_.added_blob();
    } else {
      ::unlink(path.c_str());
      pull(repository, descriptor, {}, stop_);
      bytes = read_file(path);
    }
  }
  if (descriptor.size != 0 && bytes.size() != descriptor.size) {
    throw Error(ExitClass::network, fmt::format("{} has {} bytes, but the manifest that names it says {}",
                                                descriptor.digest, bytes.size(), descriptor.size))
        .with_advice("The image on the registry is inconsistent: have it pushed again.");
  }
  return bytes;
}

frontend::ResolvedImage ImageSources::resolve_one(const frontend::ImageQuery& asked) {
  const frontend::ImageQuery query{policy_image(options_.policy.get(), asked.reference), asked.platform};
  Origin origin;
  image::ImageDescription description;
  frontend::ResolvedImage resolved;
  try {
    description = describe(query, origin);
    resolved.config = frontend::parse_image_config(description.config_bytes);
    check_layers(query, description, resolved.config.diff_ids.size());
  } catch (Error& error) {
    error.with_context("failed to resolve source metadata for " + query.reference);
    throw;
  }
  resolved.name = fmt::format("{}@{}", query.reference, description.manifest_digest);
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
  return origin_of(blob).repository;
}

// Into the store, under its final name once the registry client has verified it.
void ImageSources::pull(const remote::Repository& repository, const image::Descriptor& descriptor,
                        const remote::BlobSink& reader, const std::stop_token& stop) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (store_.use_blob(descriptor.digest, descriptor.size)) return;
  PartialFile out(path, 0600);
  DropBehind behind(out.fd());
  remote::BlobSink sink;
  sink.data = [&](std::string_view bytes) {
    write_all(out.fd(), bytes);
    behind.advance(bytes.size());
    if (reader.data) reader.data(bytes);
  };
  sink.restart = [&] {
    out.start_again();
    behind = DropBehind(out.fd());
    if (reader.restart) reader.restart();
  };
  registry().pull_blob(repository, {descriptor.digest, descriptor.size}, sink, stop);
  out.commit();
  store_.added_blob();
}

void ImageSources::pull(const image::Descriptor& descriptor, const remote::BlobSink& reader,
                        const std::stop_token& stop) {
  pull(origin_of(descriptor.digest).repository.value(), descriptor, reader, stop);
}

bool ImageSources::is_remote(const image::Descriptor& descriptor) const {
  return origin_of(descriptor.digest).repository && !store_.use_blob(descriptor.digest, descriptor.size);
}

ImageSources::Origin ImageSources::origin_of(const Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto found = origins_.find(blob);
  return found == origins_.end() ? Origin() : found->second;
}

bool ImageSources::add_layer(const Digest& diff_id, const image::Descriptor& descriptor, const Origin& origin) {
  const std::lock_guard lock(mutex_);
  if (!by_diff_id_.emplace(diff_id, descriptor).second) return false;
  origins_.emplace(descriptor.digest, origin);
  return true;
}

void ImageSources::drop_layer(const Digest& diff_id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_diff_id_.find(diff_id);
  if (found == by_diff_id_.end()) return;
  origins_.erase(found->second.digest);
  by_diff_id_.erase(found);
}

void ImageSources::fetch_blob(const image::Descriptor& descriptor) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (store_.use_blob(descriptor.digest, descriptor.size)) return;
  const Fd from = open_blob(descriptor);
  if (path_exists(path)) return;
  PartialFile to(path, 0600);
  image::copy_verified(from.get(), to.fd(), descriptor);
  to.commit();
  store_.added_blob();
}

Fd ImageSources::open_blob(const image::Descriptor& descriptor) {
  const std::string path = store_.blob_path(descriptor.digest);
  if (store_.use_blob(descriptor.digest, descriptor.size)) return open_file(path, O_RDONLY);
  const Origin origin = origin_of(descriptor.digest);
  if (!origin.layout.empty()) return image::open_layout_blob(origin.layout, descriptor);
  if (!origin.repository) {
    throw Error(ExitClass::store, "the store has lost the blob " + descriptor.digest)
        .with_advice("It is of an image that the store keeps: build that again, or forget it with `mbuild images rm`.");
  }
  pull(*origin.repository, descriptor, {}, stop_);
  return open_file(path, O_RDONLY);
}

}  // namespace mbuild::executor
