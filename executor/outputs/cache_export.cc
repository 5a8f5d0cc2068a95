#include "executor/outputs/cache_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/output_file.h"
#include "base/parallel.h"
#include "base/strings.h"
#include "executor/api/vertex.h"
#include "image/oci_layout.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

constexpr unsigned k_cache_uploads_at_once = 4;

LayerFormat format_of(const CacheReference& reference, const ExportEnvironment& environment) {
  LayerFormat format{.compression = reference.compression, .level = reference.level, .clamp = {}};
  if (!environment.request.reproducible) return format;
  if (!format.level) format.level = reproducible_level(format.compression);
  format.clamp = environment.epoch;
  return format;
}

// ---- what is exported

bool is_made_here(const SnapshotLayer& layer) { return !layer.pulled && layer.made_by.has_value(); }

image::CachedLayer describe(const ExportEnvironment& environment, const LayerBlobs& blobs, const LayerFormat& format,
                            const SnapshotLayer& layer) {
  const auto& blob = blobs.of(layer);
  image::CachedLayer out{.result = layer.result_digest,
                         .diff_id = blob.diff_id,
                         .blob = {.media_type = blob.descriptor.media_type,
                                  .digest = blob.descriptor.digest,
                                  .size = blob.descriptor.size},
                         .level = level_in_key(format),
                         .clamp_mtime = format.clamp,
                         .audited = {}};
  if (layer.imported && layer.imported->blob.digest == out.blob.digest) return *layer.imported;
  for (const auto& image : environment.lowered.images) {
    const auto platform = platforms::to_string(image.platform);
    const bool audited = environment.store.find_audit(layer.id, platform).has_value();
    const auto findings = blobs.findings(layer.id, image.platform);
    const bool clean = std::ranges::all_of(
        findings, [](const auto& finding) { return finding.kind == emu::AuditFinding::Kind::interpreter; });
    if (audited && clean) out.audited.push_back(platform);
  }
  return out;
}

// Layers that the cache is to hold: all that steps made, or those of the images. A layer that an imported cache has no
// blob of is left out.
LayerList chosen_layers(const ExportEnvironment& environment, const std::vector<ExportedStep>& steps, bool max) {
  std::set<std::string> in_images;
  for (const auto& image : environment.lowered.images) {
    if (!image.root) continue;
    for (const auto& layer : environment.steps.result(*image.root).layers) in_images.insert(layer->id);
  }
  LayerList out;
  std::set<std::string> seen;
  for (const auto& step : steps) {
    const auto& layer = step.layer;
    if (!is_made_here(*layer) || (!max && !in_images.contains(layer->id))) continue;
    if (layer->imported && layer->imported->blob.digest.empty() && !environment.store.find_layer(layer->id)) continue;
    if (seen.insert(layer->id).second) out.push_back(layer);
  }
  return out;
}

// ---- where it goes

class Target {
 public:
  virtual ~Target() = default;
  virtual void send_layers(const std::vector<image::Descriptor>& blobs) = 0;
  virtual void send_documents(const image::Descriptor& config, const std::string& config_bytes,
                              const std::string& manifest_bytes) = 0;
};

class RegistryTarget : public Target {
 public:
  RegistryTarget(const CacheReference& reference, ImageSources& images, std::stop_token stop)
      : images_(images), stop_(std::move(stop)) {
    const auto name = frontend::with_default_tag(frontend::parse_reference(reference.ref));
    repository_ = {name.domain, name.path};
    tag_ = name.tag;
  }

  // Of what the manifest names that is there already, the registry has the blobs: nobody need ask for them.
  void send_layers(const std::vector<image::Descriptor>& blobs) override {
    std::set<Digest> there;
    if (const auto old = images_.registry().find_manifest(repository_, tag_, stop_)) {
      before_ = old->digest;
      if (!image::is_index_type(old->media_type)) {
        for (const auto& layer : image::parse_manifest(old->bytes).layers) there.insert(layer.digest);
      }
    }
    std::vector<image::Descriptor> missing;
    std::ranges::copy_if(blobs, std::back_inserter(missing),
                         [&](const auto& blob) { return !there.contains(blob.digest); });
    parallel_for(missing.size(), k_cache_uploads_at_once, [&](std::size_t i) { send(missing[i]); });
  }

  void send_documents(const image::Descriptor& config, const std::string& config_bytes,
                      const std::string& manifest_bytes) override {
    if (before_ == sha256(manifest_bytes)) return;
    auto& registry = images_.registry();
    if (!registry.has_blob(repository_, config.digest, stop_))
      registry.push_blob(repository_, {config.digest, config.size}, remote::upload_from_string(config_bytes), stop_);
    registry.push_manifest(repository_, tag_, std::string(image::media_type::k_oci_manifest), manifest_bytes, stop_);
  }

 private:
  void send(const image::Descriptor& blob) {
    auto& registry = images_.registry();
    if (registry.has_blob(repository_, blob.digest, stop_)) return;
    const auto origin = images_.repository_of(blob.digest);
    if (origin && origin->host == repository_.host &&
        registry.mount_blob(repository_, blob.digest, origin->name, stop_))
      return;
    const Fd file = images_.open_blob(blob);
    registry.push_blob(repository_, {blob.digest, blob.size}, remote::upload_from_file(file.get()), stop_);
  }

  ImageSources& images_;
  std::stop_token stop_;
  remote::Repository repository_;
  std::string tag_;
  Digest before_;
};

class DirectoryTarget : public Target {
 public:
  DirectoryTarget(const CacheReference& reference, ImageSources& images, std::stop_token stop)
      : directory_(reference.destination),
        tag_(reference.tag.empty() ? "latest" : reference.tag),
        reset_(reference.reset),
        images_(images),
        stop_(std::move(stop)) {
    make_directories(directory_ + "/blobs/sha256");
    if (!path_exists(directory_ + "/oci-layout"))
      write_output(directory_ + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})", stop_);
  }

  void send_layers(const std::vector<image::Descriptor>& blobs) override {
    for (const auto& blob : blobs) {
      const auto path = path_of(blob.digest);
      std::error_code none;
      if (std::filesystem::file_size(path, none) == blob.size && !none) continue;
      const Fd from = images_.open_blob(blob);
      OutputFile to(path, stop_, 0644);
      image::copy_verified(from.get(), to.fd(), blob);
      to.commit();
    }
  }

  void send_documents(const image::Descriptor& config, const std::string& config_bytes,
                      const std::string& manifest_bytes) override {
    write_output(path_of(config.digest), config_bytes, stop_);
    auto entry = image::describe(image::media_type::k_oci_manifest, manifest_bytes);
    write_output(path_of(entry.digest), manifest_bytes, stop_);
    entry.artifact_type = image::k_step_cache_artifact;
    entry.annotations[std::string(image::k_annotation_ref_name)] = tag_;
    const auto path = directory_ + "/index.json";
    image::Index index{.media_type = std::string(image::media_type::k_oci_index)};
    if (path_exists(path)) index = image::parse_index(read_file(path));
    std::erase_if(index.manifests, [&](const auto& other) {
      const auto name = other.annotations.find(std::string(image::k_annotation_ref_name));
      return name != other.annotations.end() && name->second == tag_;
    });
    index.manifests.push_back(std::move(entry));
    write_output(path, image::serialise_index(index), stop_);
    if (reset_) remove_unreferenced(index);
  }

 private:
  std::string path_of(const Digest& digest) const {
    return fmt::format("{}/blobs/sha256/{}", directory_, digest_hex(digest));
  }

  void note(const image::Descriptor& descriptor, std::set<std::string>& wanted) const {
    wanted.insert(std::string(digest_hex(descriptor.digest)));
    if (image::is_index_type(descriptor.media_type)) {
      for (const auto& inner : image::parse_index(image::read_layout_blob(directory_, descriptor)).manifests)
        note(inner, wanted);
    } else if (image::is_manifest_type(descriptor.media_type)) {
      const auto manifest = image::parse_manifest(image::read_layout_blob(directory_, descriptor));
      note(manifest.config, wanted);
      for (const auto& layer : manifest.layers) note(layer, wanted);
    }
  }

  void remove_unreferenced(const image::Index& index) const {
    std::set<std::string> wanted;
    for (const auto& entry : index.manifests) note(entry, wanted);
    for (const auto& file : std::filesystem::directory_iterator(directory_ + "/blobs/sha256")) {
      std::error_code none;
      if (!wanted.contains(file.path().filename().string())) std::filesystem::remove(file.path(), none);
    }
  }

  std::string directory_, tag_;
  bool reset_;
  ImageSources& images_;
  std::stop_token stop_;
};

void export_cache(const ExportEnvironment& environment, const CacheReference& reference, std::stop_token stop) {
  const auto format = format_of(reference, environment);
  const auto steps = environment.steps.exported(environment.plan);
  const auto layers = chosen_layers(environment, steps, reference.max);
  LayerBlobs blobs(environment, format);
  blobs.prepare(layers, stop);
  image::StepCache cache;
  for (const auto& step : steps) cache.steps.push_back(step.step);
  for (const auto& layer : layers) cache.layers.push_back(describe(environment, blobs, format, *layer));

  const auto target = [&]() -> std::unique_ptr<Target> {
    if (reference.type == "local") return std::make_unique<DirectoryTarget>(reference, environment.images, stop);
    return std::make_unique<RegistryTarget>(reference, environment.images, stop);
  }();
  const auto config_bytes = image::serialise_step_cache(cache);
  const auto config = image::describe(image::k_step_cache_config, config_bytes);
  const auto manifest = image::step_cache_manifest(cache, config);
  target->send_layers(manifest.layers);
  target->send_documents(config, config_bytes, image::serialise_manifest(manifest));
}

}  // namespace

void check_caches(const TargetRequest& request) {
  const auto need = [](const CacheReference& reference, std::string_view name, const std::string& value,
                       std::string_view what) {
    if (value.empty()) throw usage_error(fmt::format("{} is required for the {} cache {}", name, reference.type, what));
  };
  for (const auto& reference : request.cache_from) {
    if (reference.type == "registry") need(reference, "ref", reference.ref, "importer");
    if (reference.type == "local") need(reference, "src", reference.source, "importer");
    if (reference.type == "registry") frontend::parse_reference(reference.ref);
  }
  for (const auto& reference : request.cache_to) {
    if (reference.type == "registry") need(reference, "ref", reference.ref, "exporter");
    if (reference.type == "local") need(reference, "dest", reference.destination, "exporter");
    if (reference.type == "registry") frontend::parse_reference(reference.ref);
  }
}

namespace {

// A registry does not take it, whoever asks.
bool is_refused(const Error& error) {
  const auto* http = dynamic_cast<const remote::HttpError*>(&error);
  if (http == nullptr || http->status < 400 || http->status >= 500) return false;
  return http->status != 401 && http->status != 403 && http->status != 413 && http->status != 429;
}

// Other builders know more types: a script that was written for them has its image all the same.
bool is_written(const CacheReference& reference) { return reference.type == "registry" || reference.type == "local"; }

}  // namespace

void export_caches(const ExportEnvironment& environment, std::stop_token stop) {
  VertexId id = k_first_cache_export_vertex + static_cast<VertexId>(environment.first_cache);
  for (const auto& reference : environment.request.cache_to) {
    if (reference.type == "inline") continue;
    if (!is_written(reference)) {
      environment.result.warnings.push_back(
          {.rule = "CacheExport",
           .message =
               fmt::format("caches of type {} are not written; registry, local and inline are", reference.type)});
      continue;
    }
    Vertex vertex(environment.sink,
                  {.id = id++, .name = environment.label + "exporting cache to " + to_string(reference)});
    try {
      export_cache(environment, reference, stop);
      vertex.complete();
    } catch (Error& error) {
      if (is_refused(error)) {
        error.advice = fmt::format(
            "Where {} takes no caches, `type=inline` keeps the image's own steps in the image, `type=local,dest=DIR` "
            "writes to a directory, and `ignore-error=true` lets the build succeed without.",
            to_string(reference));
      }
      error.with_context("error writing the cache " + to_string(reference));
      vertex.fail(error.what());
      if (!reference.ignore_error) throw;
      environment.result.warnings.push_back({.rule = "CacheExport", .message = error.what()});
    }
  }
}

bool wants_inline_cache(const TargetRequest& request) {
  const auto argument = request.build_args.find("BUILDKIT_INLINE_CACHE");
  if (argument != request.build_args.end() && (argument->second == "1" || to_lower(argument->second) == "true"))
    return true;
  return std::ranges::any_of(request.cache_to, [](const auto& reference) { return reference.type == "inline"; });
}

std::string inline_cache(const ExportEnvironment& environment, const LayerBlobs& blobs, const LayerList& layers) {
  image::StepCache cache;
  for (auto& step : environment.steps.exported(environment.plan)) cache.steps.push_back(std::move(step.step));
  std::set<std::string> seen;
  for (const auto& layer : layers) {
    if (!is_made_here(*layer) || !seen.insert(layer->id).second) continue;
    cache.layers.push_back(describe(environment, blobs, blobs.format(), *layer));
    cache.layers.back().blob = {};  // the image's manifest names it
  }
  return image::serialise_step_cache(cache);
}

}  // namespace mbuild::executor
