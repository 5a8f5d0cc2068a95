#include "executor/export.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/strings.h"
#include "executor/cache_export.h"
#include "executor/jobs.h"
#include "executor/layer_blobs.h"
#include "executor/push.h"
#include "frontend/reference.h"
#include "image/exporters.h"

namespace mbuild::executor {
namespace {

std::string rfc3339(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string attribute(const Output& output, const std::string& name) {
  const auto found = output.attributes.find(name);
  return found == output.attributes.end() ? "" : found->second;
}

bool flag(const Output& output, const std::string& name, bool otherwise) {
  const std::string value = to_lower(attribute(output, name));
  if (value.empty()) return output.attributes.contains(name) ? true : otherwise;
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw Error(ExitClass::usage, fmt::format("non-bool value {} specified for {}", value, name));
}

bool is_push(const Output& output) {
  return output.type == "registry" || (output.type == "image" && flag(output, "push", false));
}

bool is_image_type(const Output& output) { return output.type == "oci" || output.type == "docker" || is_push(output); }

struct Format {
  LayerFormat layers;
  image::MediaFlavour flavour = image::MediaFlavour::oci;
};

Format format_of(const Output& output, const BuildRequest& request, std::optional<std::int64_t> epoch) {
  Format format;
  const std::string compression = attribute(output, "compression");
  if (compression == "zstd") {
    format.layers.compression = image::Compression::zstd;
  } else if (compression == "uncompressed") {
    format.layers.compression = image::Compression::none;
  } else if (!compression.empty() && compression != "gzip") {
    throw Error(ExitClass::usage, fmt::format("unsupported layer compression type {}", compression))
        .with_advice("Compressions are gzip, zstd and uncompressed.");
  }
  if (const std::string level = attribute(output, "compression-level"); !level.empty()) {
    int value = 0;
    const auto [end, code] = std::from_chars(level.data(), level.data() + level.size(), value);
    const int most = format.layers.compression == image::Compression::zstd ? 22 : 9;
    if (code != std::errc() || end != level.data() + level.size() || value < 0 || value > most) {
      throw Error(ExitClass::usage, fmt::format("invalid compression-level {}: 0 to {} for {}", level, most,
                                                compression_name(format.layers.compression)));
    }
    format.layers.level = value;
  } else if (request.reproducible && format.layers.compression == image::Compression::gzip) {
    format.layers.level = k_reproducible_gzip_level;
  }
  format.layers.force = flag(output, "force-compression", false);
  if (request.reproducible || flag(output, "rewrite-timestamp", false)) format.layers.clamp = epoch;
  if (!flag(output, "oci-mediatypes", true)) format.flavour = image::MediaFlavour::docker;
  if (format.flavour == image::MediaFlavour::docker && format.layers.compression == image::Compression::zstd) {
    throw Error(ExitClass::usage, "exporter option \"compression=zstd\" conflicts with \"oci-mediatypes=false\"");
  }
  return format;
}

// What an image is to be called, with its tag.
frontend::Reference target_name(const Output& output, const std::string& name) {
  auto reference = frontend::parse_reference(trim(name));
  if (!reference.digest.empty()) {
    throw Error(ExitClass::usage, fmt::format("an image can't be given the name {}, which has a digest", name))
        .with_advice("Its digest is known when it is built: leave out what follows the @.");
  }
  if (is_push(output) && flag(output, "push-by-digest", false) && !reference.tag.empty()) {
    throw Error(ExitClass::usage, fmt::format("can't push tagged ref {} by digest", name))
        .with_advice("Leave out the tag, or push-by-digest.");
  }
  return frontend::with_default_tag(std::move(reference));
}

std::vector<std::string> names_of(const Output& output, const BuildRequest& request) {
  std::vector<std::string> names = request.tags;
  if (const std::string name = attribute(output, "name"); !name.empty()) names = split(name, ',');
  for (auto& name : names) name = frontend::to_string(target_name(output, name));
  std::vector<std::string> unique;
  for (auto& name : names) {
    if (std::find(unique.begin(), unique.end(), name) == unique.end()) unique.push_back(std::move(name));
  }
  return unique;
}

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

image::FinishedImage finish(const frontend::LoweredImage& lowered, const ExportEnvironment& environment,
                            const LayerBlobs& blobs, image::MediaFlavour flavour) {
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
  if (wants_inline_cache(environment.request))
    config.extensions[std::string(image::k_inline_cache_member)] = inline_cache(environment, blobs, layers);
  return image::assemble_image(config, std::move(descriptors), lowered.platform, flavour);
}

Fd open_destination(const Output& output) {
  if (!output.destination.empty() && output.destination != "-") {
    return open_file(output.destination, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  }
  if (::isatty(STDOUT_FILENO) == 1) {
    throw Error(ExitClass::usage,
                "dest file is required for " + output.type + " exporter. refusing to write to console");
  }
  return duplicate(STDOUT_FILENO);
}

// Writing to the final name at once would leave half a file behind on a failure.
template <class Write>
void write_destination(const Output& output, const Write& write) {
  if (output.destination.empty() || output.destination == "-") {
    write(open_destination(output).get());
    return;
  }
  Output partial = output;
  partial.destination += ".partial";
  try {
    write(open_destination(partial).get());
    if (::rename(partial.destination.c_str(), output.destination.c_str()) < 0)
      throw system_error(errno, "rename to " + output.destination);
  } catch (...) {
    ::unlink(partial.destination.c_str());
    throw;
  }
}

// Who writes "FROM --platform=linux/arm64" means to handle programs of that platform, whatever the target.
bool is_meant(const ExportEnvironment& environment, const emu::AuditFinding& finding) {
  for (const auto& stage : environment.dockerfile.stages) {
    const auto& platform = std::get<frontend::dockerfile::FromInstruction>(stage.from.body).platform;
    if (platform.empty() || platform.find('$') != std::string::npos) continue;
    const auto* descriptor = platforms::find_descriptor(platforms::parse_platform(platform));
    if (descriptor != nullptr && descriptor->name == finding.found_platform) return true;
  }
  return false;
}

// What is labelled arm64 contains arm64 code: see emu/audit.h.
void audit(const ExportEnvironment& environment, const LayerBlobs& blobs) {
  const auto& request = environment.request;
  if (request.arch_check == "off") return;
  for (const auto& image : environment.lowered.images) {
    if (!image.root) continue;
    for (const auto& layer : environment.steps.result(*image.root).layers) {
      for (const auto& finding : blobs.findings(*layer, image.platform)) {
        if (emu::is_allowed(request.arch_allow, finding.path)) continue;
        const bool grave =
            finding.kind == emu::AuditFinding::Kind::foreign && !finding.compatible && !is_meant(environment, finding);
        const std::string text = emu::to_string(finding);
        if (!grave || request.arch_check == "warn") {
          environment.result.warnings.push_back({.rule = "ForeignArchitecture", .message = text});
          continue;
        }
        throw Error(ExitClass::step_failed, text)
            .with_context("image for " + platforms::to_string(image.platform))
            .with_excerpt(layer->made_by ? environment.excerpt(*layer->made_by) : "")
            .with_advice(fmt::format(
                "If it belongs there, allow it with --arch-allow='{}' or switch the check off with --arch-check=off.",
                finding.path));
      }
    }
  }
}

void export_image(const ExportEnvironment& environment, const Output& output, std::stop_token stop) {
  auto& result = environment.result;
  const Format format = format_of(output, environment.request, environment.epoch);
  LayerBlobs blobs(environment, format.layers);
  blobs.prepare(stop, !is_push(output));
  audit(environment, blobs);
  image::ImageSet set;
  set.flavour = format.flavour;
  set.names = names_of(output, environment.request);
  for (const auto& lowered : environment.lowered.images) {
    set.images.push_back(finish(lowered, environment, blobs, format.flavour));
  }
  // Blobs are opened by digest; where they come from, the layers' descriptors tell.
  std::map<Digest, image::Descriptor> by_digest;
  for (const auto& image : set.images) {
    for (const auto& layer : image.layers) by_digest[layer.digest] = layer;
  }
  const image::OpenBlob open_blob = [&](const Digest& digest) { return blobs.open(by_digest.at(digest)); };
  const auto top = image::top_level(set);
  result.index = top.descriptor.digest;
  result.index_media_type = top.descriptor.media_type;
  result.index_size = top.descriptor.size;
  result.images.clear();
  for (const auto& image : set.images)
    result.images.push_back({image.platform, image.manifest.digest, image.config.digest});

  if (is_push(output)) {
    push_images(set, environment.images, open_blob, {.by_digest = flag(output, "push-by-digest", false)}, stop);
  } else if (output.type == "docker") {
    write_destination(output, [&](int fd) { image::write_docker_tar(set, fd, open_blob); });
  } else if (flag(output, "tar", true)) {
    write_destination(output, [&](int fd) { image::write_oci_tar(set, fd, open_blob); });
  } else {
    image::write_oci_directory(set, output.destination, open_blob);
  }
}

void export_files(const ExportEnvironment& environment, const Output& output, std::stop_token stop) {
  const bool split_platforms = flag(output, "platform-split", environment.lowered.images.size() > 1);
  jobs::ExportRequest request;
  request.work = environment.directory.path() + "/export-" + random_hex(4);
  make_directories(request.work, 0711);
  request.owners = environment.inner.map().owner_mode();
  if (environment.request.reproducible || flag(output, "rewrite-timestamp", false))
    request.clamp_mtime = environment.epoch;
  for (const auto& image : environment.lowered.images) {
    jobs::TreeExport tree{.platform = image.platform, .subdirectory = {}, .stack = {}};
    if (split_platforms) tree.subdirectory = image::platform_directory(image.platform);
    if (image.root) tree.stack = environment.steps.unpacked(environment.steps.result(*image.root), stop);
    request.trees.push_back(std::move(tree));
  }
  if (output.type == "tar") {
    write_destination(output, [&](int fd) { jobs::export_trees(environment.inner.get(), request, fd, stop); });
    return;
  }
  const std::string mode = attribute(output, "mode");
  if (!mode.empty() && mode != "copy" && mode != "delete") {
    throw Error(ExitClass::usage, fmt::format("invalid local exporter mode \"{}\"", mode))
        .with_advice("Modes are copy and delete.");
  }
  request.remove_others = mode == "delete";
  request.destination = output.destination;
  make_directories(output.destination);
  jobs::export_trees(environment.inner.get(), request, -1, stop);
}

std::string phase_name(const Output& output) {
  if (is_push(output)) return "pushing to registry";
  if (output.type == "oci") return "exporting to oci image format";
  if (output.type == "docker") return "exporting to docker image format";
  return output.type == "tar" ? "exporting to client tarball" : "exporting to client directory";
}

}  // namespace

remote::RegistryHosts registries_of(const BuildRequest& request) {
  remote::RegistryHosts registries = request.registries;
  for (const auto& output : request.outputs) {
    if (!is_push(output) || !flag(output, "registry.insecure", false)) continue;
    for (const auto& name : names_of(output, request)) {
      const auto host = frontend::parse_reference(name).domain;
      registries.hosts.try_emplace(host, request.registries.of(host)).first->second.insecure = true;
    }
  }
  return registries;
}

void check_outputs(const BuildRequest& request) {
  int to_stdout = 0;
  for (const auto& output : request.outputs) {
    if (output.type == "image" && !is_push(output)) {
      throw Error(ExitClass::usage, "exporter \"image\" without push=true: images are not kept in the store")
          .with_advice("Use -o type=oci,dest=FILE, or push=true.");
    }
    if (is_push(output)) {
      format_of(output, request, {});
      if (names_of(output, request).empty()) {
        throw Error(ExitClass::usage, "tag is needed when pushing to registry")
            .with_advice("Name the image with -t HOST/NAME:TAG.");
      }
      continue;
    }
    const bool to_directory = output.type == "local" || (output.type == "oci" && !flag(output, "tar", true));
    if (to_directory && output.destination.empty())
      throw Error(ExitClass::usage, "dest is required for " + output.type + " exporter");
    if (!to_directory && output.type != "cacheonly" && (output.destination.empty() || output.destination == "-")) {
      if (++to_stdout > 1) throw Error(ExitClass::usage, "multiple outputs configured to write to stdout");
      if (::isatty(STDOUT_FILENO) == 1) {
        throw Error(ExitClass::usage,
                    "dest file is required for " + output.type + " exporter. refusing to write to console");
      }
    }
    if (output.type == "docker" && request.platforms.size() > 1) {
      throw Error(ExitClass::usage, "docker exporter does not currently support exporting manifest lists")
          .with_advice("Use -o type=oci, which takes several platforms, or one --platform.");
    }
    if (is_image_type(output)) {
      format_of(output, request, {});
      names_of(output, request);
    }
  }
}

void export_images(const ExportEnvironment& environment, std::stop_token stop) {
  VertexId vertex = static_cast<VertexId>(environment.lowered.graph.nodes.size());
  for (const auto& output : environment.request.outputs) {
    if (output.type == "cacheonly") continue;
    VertexEvent event{.id = vertex++, .state = VertexState::started, .name = phase_name(output)};
    event.time = std::chrono::steady_clock::now();
    environment.sink.vertex(event);
    try {
      is_image_type(output) ? export_image(environment, output, stop) : export_files(environment, output, stop);
      event.state = VertexState::completed;
    } catch (Error& error) {
      event.state = VertexState::failed;
      event.error = error.what();
      event.time = std::chrono::steady_clock::now();
      environment.sink.vertex(event);
      throw;
    }
    event.time = std::chrono::steady_clock::now();
    environment.sink.vertex(event);
  }
}

}  // namespace mbuild::executor
