#include "executor/sources/cache_import.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "image/oci_layout.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_max_document = 256ULL * 1024 * 1024;

// A registry and an OCI layout alike: documents by descriptor.
using Read = std::function<std::string(const image::Descriptor&)>;

// The caches that a manifest holds, or the images of an index.
std::vector<image::StepCache> caches_of(const image::Descriptor& top, const std::vector<platforms::Platform>& wanted,
                                        const Read& read) {
  std::vector<image::StepCache> out;
  if (image::is_index_type(top.media_type)) {
    for (const auto& entry : image::parse_index(read(top)).manifests) {
      if (image::is_attestation(entry)) continue;
      if (entry.platform && std::ranges::find(wanted, *entry.platform) == wanted.end()) continue;
      if (image::is_index_type(entry.media_type)) continue;
      for (auto& cache : caches_of(entry, wanted, read)) out.push_back(std::move(cache));
    }
    return out;
  }
  const auto manifest = image::parse_manifest(read(top));
  if (manifest.config.size > k_max_document) throw Error(ExitClass::network, "its configuration is too large");
  const auto config = read(manifest.config);
  out.push_back(manifest.config.media_type == image::k_step_cache_config ? image::parse_step_cache(config)
                                                                         : image::parse_inline_cache(config, manifest));
  return out;
}

}  // namespace

ImportedCaches::ImportedCaches(std::vector<CacheReference> references, ImageSources& images,
                               std::vector<platforms::Platform> platforms, std::function<void(std::string)> warn,
                               std::stop_token stop)
    : references_(std::move(references)),
      images_(images),
      platforms_(std::move(platforms)),
      warn_(std::move(warn)),
      stop_(std::move(stop)) {}

void ImportedCaches::load() {
  if (references_.empty()) return;
  std::call_once(loaded_, [this] {
    for (const auto& reference : references_) {
      try {
        import(reference);
      } catch (const Error& error) {
        const auto advice = error.advice.empty() ? "" : fmt::format(" ({})", error.advice);
        warn_(fmt::format("the cache {} is not used: {}{}", to_string(reference), error.what(), advice));
      }
    }
  });
}

void ImportedCaches::import(const CacheReference& reference) {
  if (reference.type == "registry") {
    import_from_registry(reference);
  } else if (reference.type == "local") {
    import_from_directory(reference);
  } else {
    throw Error(ExitClass::usage, fmt::format("caches of type {} can't be read", reference.type));
  }
}

void ImportedCaches::import_from_registry(const CacheReference& reference) {
  const auto name = frontend::with_default_tag(frontend::parse_reference(reference.ref));
  const remote::Repository repository{name.domain, name.path};
  auto& registry = images_.registry();
  const auto top = remote::require_manifest(registry, repository, name.digest.empty() ? name.tag : name.digest, stop_);
  const auto read = [&](const image::Descriptor& document) {
    if (document.digest == top.digest) return top.bytes;
    if (image::is_manifest_type(document.media_type) || image::is_index_type(document.media_type))
      return remote::require_manifest(registry, repository, document.digest, stop_).bytes;
    std::string bytes;
    registry.pull_blob(repository, {document.digest, document.size},
                       {.data = [&](std::string_view part) { bytes += part; }, .restart = [&] { bytes.clear(); }},
                       stop_);
    return bytes;
  };
  const image::Descriptor descriptor{.media_type = top.media_type, .digest = top.digest, .size = top.bytes.size()};
  for (auto& cache : caches_of(descriptor, platforms_, read))
    add(std::move(cache), {.layout = {}, .repository = repository});
}

void ImportedCaches::import_from_directory(const CacheReference& reference) {
  const image::LayoutReference layout{.directory = reference.source, .tag = reference.tag, .digest = reference.digest};
  const auto read = [&](const image::Descriptor& document) {
    return image::read_layout_blob(layout.directory, document);
  };
  for (auto& cache : caches_of(image::resolve_layout(layout), platforms_, read))
    add(std::move(cache), {.layout = layout.directory, .repository = {}});
}

// What an earlier reference has, it has.
void ImportedCaches::add(image::StepCache cache, const ImageSources::Origin& origin) {
  const std::lock_guard lock(mutex_);
  for (auto& step : cache.steps) {
    definitions_.emplace(std::pair(step.definition, step.inputs), step.key);
    const Digest key = step.key;
    steps_.emplace(key, std::move(step));
  }
  for (auto& layer : cache.layers) {
    if (layer.blob.digest.empty()) continue;
    images_.add_layer(layer.diff_id, layer.blob, origin);
    const Digest result = layer.result;
    layers_.emplace(result, std::make_shared<const image::CachedLayer>(std::move(layer)));
  }
}

std::optional<Digest> ImportedCaches::find_definition(const Digest& definition, const Digest& inputs) {
  load();
  const std::lock_guard lock(mutex_);
  const auto found = definitions_.find({definition, inputs});
  return found == definitions_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<ImportedCaches::Hit> ImportedCaches::find_step(const Digest& key) {
  load();
  const std::lock_guard lock(mutex_);
  const auto step = steps_.find(key);
  if (step == steps_.end() || dropped_.contains(step->second.result)) return std::nullopt;
  const auto layer = layers_.find(step->second.result);
  static const auto k_no_blob = std::make_shared<const image::CachedLayer>();
  return Hit{step->second, layer == layers_.end() ? k_no_blob : layer->second};
}

void ImportedCaches::drop(const Digest& result) {
  const std::lock_guard lock(mutex_);
  dropped_.insert(result);
}

}  // namespace mbuild::executor
