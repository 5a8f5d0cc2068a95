#include "executor/outputs/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/error.h"
#include "base/output_file.h"
#include "executor/api/vertex.h"
#include "executor/outputs/audit_images.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/early_archive.h"
#include "executor/outputs/early_uploads.h"
#include "executor/outputs/image_output.h"
#include "executor/outputs/layer_blobs.h"
#include "executor/outputs/load.h"
#include "executor/outputs/push.h"
#include "executor/outputs/stored_images.h"
#include "image/exporters.h"
#include "oci/reference.h"
#include "worker/jobs/jobs.h"

namespace mbuild::executor {
namespace {

// History entries get the time of their layer; those without a layer that of the entry before.
void fill_times(frontend::ImageConfig& config, const LayerList& layers) {
  std::size_t layer = 0;
  std::string latest = config.history.empty() ? "" : config.history.front().created;
  for (auto& entry : config.history) {
    const std::int64_t created = !entry.empty_layer && layer < layers.size() ? layers[layer++]->created : 0;
    if (entry.created.empty()) entry.created = created > 0 ? std::max(rfc3339(created), latest) : latest;
    if (entry.created.empty()) entry.created = rfc3339(0);
    latest = std::max(latest, entry.created);
  }
  if (config.created.empty()) config.created = latest.empty() ? rfc3339(0) : latest;
}

// What an output's source-date-epoch makes of the times.
void set_epoch(frontend::ImageConfig& config, std::int64_t epoch) {
  const std::string latest = rfc3339(epoch);
  config.created = latest;
  for (auto& entry : config.history) entry.created = std::min(entry.created, latest);
}

image::FinishedImage finish(const frontend::LoweredImage& lowered, const ExportEnvironment& environment,
                            const LayerBlobs& blobs, const Output& output, const ImageOutput& wanted) {
  using Place = image::AnnotationPlace;
  frontend::ImageConfig config = lowered.config;
  std::vector<image::Descriptor> descriptors;
  config.diff_ids.clear();
  LayerList layers;
  if (lowered.root) layers = environment.steps.result(*lowered.root).layers;
  for (const auto& layer : layers) {
    const auto& blob = blobs.of(*layer);
    config.diff_ids.push_back(blob.diff_id);
    descriptors.push_back(blob.descriptor);
  }
  fill_times(config, layers);
  if (output.epoch) {
    set_epoch(config, *output.epoch);
  } else if (environment.request.reproducible && !environment.lowered.source_date_epoch && environment.epoch) {
    set_epoch(config, *environment.epoch);  // that of the commit, or none: what the lowering knew of is in there
  }
  if (wants_inline_cache(environment.request))
    config.extensions[std::string(image::k_inline_cache_member)] = inline_cache(environment, blobs, layers);
  auto finished = image::assemble_image(config, std::move(descriptors), lowered.platform, wanted.flavour,
                                        image::annotations_for(wanted.annotations, Place::manifest, &lowered.platform),
                                        environment.request.artifact_type);
  finished.manifest.annotations =
      image::annotations_for(wanted.annotations, Place::manifest_descriptor, &lowered.platform);
  return finished;
}

bool is_to_directory(const Output& output) {
  return output.type == OutputType::local ||
         ((output.type == OutputType::oci || output.type == OutputType::docker) && !output.image.as_tar);
}

bool is_file(const Output& output) {
  return output.type == OutputType::tar || output.type == OutputType::oci || output.type == OutputType::docker;
}

bool is_unnamed(const Output& output) { return output.destination.empty() || output.destination == "-"; }

bool is_to_stdout(const Output& output) { return is_unnamed(output) || names_standard_output(output.destination); }

// Where an exporter's file goes.
const std::string& file_destination(const Output& output, const SessionRequest& session) {
  return is_unnamed(output) ? session.surroundings.output : output.destination;
}

image::ImageSet make_set(const ExportEnvironment& environment, const LayerBlobs& blobs, const Output& output,
                         const ImageOutput& wanted) {
  image::ImageSet set;
  set.flavour = wanted.flavour;
  set.names = wanted.names;
  for (const auto& lowered : environment.lowered.images) {
    set.images.push_back(finish(lowered, environment, blobs, output, wanted));
  }
  set.index_annotations = image::annotations_for(wanted.annotations, image::AnnotationPlace::index);
  set.descriptor_annotations = image::annotations_for(wanted.annotations, image::AnnotationPlace::index_descriptor);
  return set;
}

std::uint64_t size_of(const image::FinishedImage& image) {
  std::uint64_t bytes = image.config.size + image.manifest.size;
  for (const auto& layer : image.layers) bytes += layer.size;
  return bytes;
}

// The image of the platform that was lowered; attestations come after those.
PlatformResult result_of(const ExportEnvironment& environment, const frontend::LoweredImage& lowered,
                         const image::FinishedImage& image) {
  PlatformResult result{image.platform, image.manifest.digest, image.config.digest, size_of(image), {}};
  if (!lowered.root) return result;
  const auto& layers = environment.steps.result(*lowered.root).layers;
  for (std::size_t i = 0; i < std::min(layers.size(), image.layers.size()); ++i) {
    auto& layer = result.layers.emplace_back(LayerResult{image.layers[i].digest, image.layers[i].size, "", 0});
    if (!layers[i]->made_by) continue;
    const auto& info = graph::info_for(environment.graph, *layers[i]->made_by, environment.number);
    layer.made_by = info.instruction;
    layer.line = info.first_line;
  }
  return result;
}

// The first output of an image type is what the build's result is called by.
void fill_result(const ExportEnvironment& environment, const Output& output, const image::ImageSet& set) {
  auto& result = environment.result;
  if (!result.descriptor.digest.empty()) return;
  result.descriptor = image::top_level(set).descriptor;
  result.names = set.names;
  for (std::size_t i = 0; i < set.images.size(); ++i)
    result.images.push_back(result_of(environment, environment.lowered.images.at(i), set.images[i]));
  result.image_id = output.type == OutputType::docker ? set.images.front().config.digest : result.descriptor.digest;
}

// Blobs are opened by digest; where they come from, the layers' descriptors tell.
image::OpenBlob open_by_digest(const LayerBlobs& blobs, const image::ImageSet& set) {
  std::map<Digest, image::Descriptor> by_digest;
  for (const auto& image : set.images) {
    for (const auto& layer : image.layers) by_digest[layer.digest] = layer;
  }
  return [&blobs, by_digest = std::move(by_digest)](const Digest& digest) { return blobs.open(by_digest.at(digest)); };
}

void deliver(const ExportEnvironment& environment, const LayerBlobs& blobs, const Output& output,
             const image::ImageSet& set, VertexId vertex, EarlyUploads* early, std::stop_token stop) {
  const auto open_blob = open_by_digest(blobs, set);
  const auto& wanted = output.image;
  if (wanted.store) store_image(set, environment.store, open_blob, wanted.canonical);
  if (wanted.push)
    push_images(set, environment.images, open_blob, {.by_digest = wanted.push_by_digest, .early = early}, stop);
  if (output.type == OutputType::image || output.type == OutputType::registry) return;
  if (output.load) {
    const auto loaded = load_images(set, open_blob, environment.session.surroundings.docker_host, stop);
    auto& result = environment.result;
    if (loaded.known_by_manifest && result.image_id == set.images.front().config.digest)
      result.image_id = result.descriptor.digest;
    environment.sink.log({.id = vertex, .data = loaded.told + "\n", .time = std::chrono::steady_clock::now()});
    return;
  }
  output.type == OutputType::docker ? image::write_docker_directory(set, output.destination, open_blob)
                                    : image::write_oci_directory(set, output.destination, open_blob);
}

// What went into a pipe can't be taken back: before, all that the store has of it is read, and what is damaged removed.
bool are_sound(cache::Store& store, const image::ImageSet& set) {
  bool sound = true;
  for (const auto& image : set.images) {
    for (const auto& layer : image.layers) sound = store.verify_blob(layer.digest) && sound;
  }
  return sound;
}

void write_archive(const LayerBlobs& blobs, const Output& output, const image::ImageSet& set, image::LayoutTar& tar) {
  const auto open_blob = open_by_digest(blobs, set);
  output.type == OutputType::docker ? tar.finish_for_docker(set, open_blob) : tar.finish(set, open_blob);
}

void export_image(const ExportEnvironment& environment, const Output& output, VertexId vertex, std::stop_token stop) {
  const ImageOutput wanted = image_output(output, environment.request, environment.epoch);
  std::vector<platforms::Platform> platforms;
  for (const auto& image : environment.lowered.images) platforms.push_back(image.platform);
  image::check_annotations(wanted.annotations, platforms);
  LayerBlobs blobs(environment, wanted.layers);
  const bool to_archive = is_file(output) && !is_to_directory(output) && !output.load;
  std::optional<OutputFile> destination;
  std::optional<EarlyArchive> archive;
  std::optional<EarlyUploads> uploads;
  BlobWatcher* watcher = nullptr;
  if (to_archive) destination.emplace(file_destination(output, environment.session), stop);
  if (to_archive && destination->is_file()) {
    const auto open = [&](const image::Descriptor& blob) { return blobs.open(blob); };
    watcher = &archive.emplace(destination->fd(), blobs.layer_ids(), open);
  }
  if (output.image.push) watcher = &uploads.emplace(environment.images, first_repository(wanted.names), stop);
  blobs.prepare(stop, !output.image.push || output.image.store, watcher);
  audit_images(environment, blobs, stop);
  image::ImageSet set = make_set(environment, blobs, output, wanted);
  if (to_archive && !destination->is_file() && !are_sound(environment.store, set)) {
    blobs.prepare(stop, true, nullptr);
    set = make_set(environment, blobs, output, wanted);
  }
  fill_result(environment, output, set);
  if (!to_archive) return deliver(environment, blobs, output, set, vertex, uploads ? &*uploads : nullptr, stop);
  std::optional<image::LayoutTar> tar;
  write_archive(blobs, output, set, archive ? archive->finish() : tar.emplace(destination->fd(), stop));
  destination->commit();
}

void export_files(const ExportEnvironment& environment, const Output& output, std::stop_token stop) {
  const bool split_platforms = output.files.platform_split.value_or(environment.lowered.images.size() > 1);
  jobs::ExportRequest request;
  request.work = environment.directory.path() + "/export-" + random_hex(4);
  make_directories(request.work, 0711);
  request.owners = environment.inner.map().owner_mode();
  request.clamp_mtime = clamp_of(output, environment.request, environment.epoch);
  for (const auto& image : environment.lowered.images) {
    jobs::TreeExport tree{.platform = image.platform, .subdirectory = {}, .stack = {}};
    if (split_platforms) tree.subdirectory = image::platform_directory(image.platform);
    if (image.root) tree.stack = environment.steps.unpacked(environment.steps.result(*image.root), stop);
    request.trees.push_back(std::move(tree));
  }
  if (output.type == OutputType::tar) {
    OutputFile destination(file_destination(output, environment.session), stop);
    request.out = duplicate(destination.fd());
    jobs::export_trees(environment.inner.get(), std::move(request), stop);
    return destination.commit();
  }
  request.remove_others = output.files.remove_others;
  request.destination = output.destination;
  make_directories(output.destination);
  jobs::export_trees(environment.inner.get(), request, stop);
}

std::string phase_name(const Output& output) {
  if (output.image.push) return "pushing to registry";
  if (output.type == OutputType::image) return "exporting to image";
  if (output.load) return "loading into the container engine";
  if (output.type == OutputType::oci) return "exporting to oci image format";
  if (output.type == OutputType::docker) return "exporting to docker image format";
  return output.type == OutputType::tar ? "exporting to client tarball" : "exporting to client directory";
}

void check_stdout(const Output& output, const Surroundings& surroundings) {
  const std::string needed = fmt::format("dest file is required for {} exporter. ", to_string(output.type));
  if (surroundings.output_is_terminal) throw Error(ExitClass::usage, needed + "refusing to write to console");
  if (is_unnamed(output) && surroundings.output.empty())
    throw Error(ExitClass::usage, needed + "there is no standard output");
}

// mode=delete removes what it finds: outside of where the user works, that has to be allowed.
void check_local_mode(const Output& output, const TargetRequest& request, const Surroundings& surroundings) {
  if (!output.files.remove_others || std::ranges::find(request.allow, "buildx.local.delete") != request.allow.end())
    return;
  const auto& here = surroundings.directory;
  const auto there = std::filesystem::weakly_canonical(output.destination).lexically_relative(here);
  if (!here.empty() && !there.empty() && *there.begin() != ".." && there != ".") return;
  throw Error(ExitClass::usage, fmt::format("mode=delete would remove files in {}, which is not below the current "
                                            "directory",
                                            output.destination))
      .with_advice("If that is what you want, add --allow buildx.local.delete.");
}

void add_insecure(remote::RegistryHosts& registries, const SessionRequest& session, const TargetRequest& request) {
  for (const auto& output : request.outputs) {
    if (!output.image.insecure) continue;
    for (const auto& name : image_output(output, request, {}).names) {
      const auto host = frontend::parse_reference(name).domain;
      registries.hosts.try_emplace(host, session.registries.of(host)).first->second.insecure = true;
    }
  }
}

void check_outputs_of(const TargetRequest& request, const Surroundings& surroundings, int& to_stdout) {
  for (const auto& output : request.outputs) {
    if (is_to_directory(output) && output.destination.empty())
      throw Error(ExitClass::usage, fmt::format("dest is required for {} exporter", to_string(output.type)));
    if (is_file(output) && !is_to_directory(output) && !output.load && is_to_stdout(output)) {
      if (++to_stdout > 1) throw Error(ExitClass::usage, "multiple outputs configured to write to stdout");
      check_stdout(output, surroundings);
    }
    if (output.type == OutputType::docker && !output.load && request.platforms.size() > 1) {
      throw Error(ExitClass::usage, "docker exporter does not currently support exporting manifest lists")
          .with_advice("Use -o type=oci, which takes several platforms, or one --platform.");
    }
    if (output.type == OutputType::local) check_local_mode(output, request, surroundings);
    if (!is_image_type(output.type)) continue;
    const auto wanted = image_output(output, request, {});
    if (!request.platforms.empty()) image::check_annotations(wanted.annotations, request.platforms);
  }
}

}  // namespace

remote::RegistryHosts registries_of(const SessionRequest& session, std::span<const TargetRequest> targets) {
  remote::RegistryHosts registries = session.registries;
  for (const auto& target : targets) add_insecure(registries, session, target);
  return registries;
}

void check_outputs(const Surroundings& surroundings, std::span<const TargetRequest> targets) {
  int to_stdout = 0;
  for (const auto& target : targets) check_outputs_of(target, surroundings, to_stdout);
}

void export_images(const ExportEnvironment& environment, std::stop_token stop) {
  std::size_t number = environment.first_output;
  for (const auto& output : environment.request.outputs) {
    for (const auto& message : output.ignored)
      environment.result.warnings.push_back({.rule = "UnknownAttribute", .message = message});
  }
  for (const auto& output : environment.request.outputs) {
    if (output.type == OutputType::cacheonly) continue;
    const VertexId id = export_vertex(environment.graph.nodes.size(), number++);
    Vertex vertex(environment.sink, {.id = id, .name = environment.label + phase_name(output)});
    try {
      is_image_type(output.type) ? export_image(environment, output, id, stop)
                                 : export_files(environment, output, stop);
    } catch (const Error& error) {
      vertex.fail(error.what());
      throw;
    }
    vertex.complete();
  }
}

}  // namespace mbuild::executor
