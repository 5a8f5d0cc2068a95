#include "executor/outputs/layer_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/parallel.h"
#include "emu/findings_record.h"

namespace mbuild::executor {
namespace {

std::string_view layer_type(image::Compression compression) {
  switch (compression) {
    case image::Compression::none:
      return image::media_type::k_oci_layer;
    case image::Compression::gzip:
      return image::media_type::k_oci_layer_gzip;
    case image::Compression::zstd:
      return image::media_type::k_oci_layer_zstd;
  }
  return "";
}

bool has_compression(const image::Descriptor& descriptor, image::Compression compression) {
  const auto& type = descriptor.media_type;
  switch (compression) {
    case image::Compression::none:
      return type.ends_with("tar");
    case image::Compression::gzip:
      return type.ends_with("gzip");
    case image::Compression::zstd:
      return type.ends_with("zstd");
  }
  return false;
}

}  // namespace

std::optional<int> reproducible_level(image::Compression compression) {
  constexpr int k_libdeflate = 6, k_zstd = 3;
  if (compression == image::Compression::none) return std::nullopt;
  return compression == image::Compression::gzip ? k_libdeflate : k_zstd;
}

int level_in_key(const LayerFormat& format) {
  constexpr int k_default = -1, k_zstd_from = 200;
  return format.level.value_or(k_default) + (format.compression == image::Compression::zstd ? k_zstd_from : 0);
}

std::vector<LayerBlobs::Wanted> LayerBlobs::wanted() const {
  std::vector<Wanted> wanted;
  std::map<std::string, std::size_t> seen;
  for (const auto& image : environment_.lowered.images) {
    if (!image.root) continue;
    for (const auto& layer : environment_.steps.result(*image.root).layers) {
      const auto [known, fresh] = seen.emplace(layer->id, wanted.size());
      if (fresh) wanted.push_back({layer, {}});
      auto& platforms = wanted[known->second].platforms;
      if (std::find(platforms.begin(), platforms.end(), image.platform) == platforms.end())
        platforms.push_back(image.platform);
    }
  }
  return wanted;
}

std::vector<std::string> LayerBlobs::layer_ids() const {
  std::vector<std::string> ids;
  for (const auto& wanted : wanted()) ids.push_back(wanted.layer->id);
  return ids;
}

void LayerBlobs::prepare(std::stop_token stop, bool fetch, BlobWatcher* watcher) {
  fetch_ = fetch;
  watcher_ = watcher;
  make(wanted(), stop);
}

void LayerBlobs::prepare(const LayerList& layers, std::stop_token stop) {
  fetch_ = false;
  std::vector<platforms::Platform> platforms;
  for (const auto& image : environment_.lowered.images) platforms.push_back(image.platform);
  std::vector<Wanted> wanted;
  for (const auto& layer : layers) wanted.push_back({layer, platforms});
  make(wanted, stop);
}

void LayerBlobs::make(const std::vector<Wanted>& wanted, const std::stop_token& stop) {
  std::vector<Blob> made(wanted.size());
  parallel_for(wanted.size(), core_count(), [&](std::size_t i) {
    made[i] = wanted[i].layer->pulled ? pulled(*wanted[i].layer, stop) : local(wanted[i], stop);
    if (watcher_ != nullptr) watcher_->made(wanted[i].layer->id, made[i].descriptor);
  });
  for (std::size_t i = 0; i < wanted.size(); ++i) blobs_[wanted[i].layer->id] = made[i];
}

std::optional<LayerBlobs::Blob> LayerBlobs::imported(const Wanted& wanted) const {
  const auto& layer = *wanted.layer;
  if (!layer.imported || layer.imported->blob.digest.empty() || environment_.store.find_layer(layer.id))
    return std::nullopt;
  const auto& promised = *layer.imported;
  if (format_.clamp != promised.clamp_mtime || (format_.level && level_in_key(format_) != promised.level))
    return std::nullopt;
  if (format_.force && !has_compression(promised.blob, format_.compression)) return std::nullopt;
  for (const auto& platform : wanted.platforms) {
    if (std::ranges::find(promised.audited, platforms::to_string(platform)) == promised.audited.end())
      return std::nullopt;
  }
  if (fetch_) open(promised.blob);
  return Blob{promised.diff_id, promised.blob};
}

Fd LayerBlobs::open(const image::Descriptor& descriptor) const {
  const auto promised = promised_result(environment_.steps.parts().table, descriptor.digest);
  if (!promised) return environment_.images.open_blob(descriptor);
  try {
    environment_.images.fetch_blob(descriptor);
    return environment_.images.open_blob(descriptor);
  } catch (const Error& error) {
    environment_.steps.parts().fetcher.break_promise(*promised, error);
  }
}

std::vector<emu::AuditFinding> LayerBlobs::findings(const std::string& layer_id,
                                                    const platforms::Platform& platform) const {
  const auto bytes = environment_.store.find_audit(layer_id, platforms::to_string(platform));
  return bytes ? unpack_findings(*bytes) : std::vector<emu::AuditFinding>();
}

// A pulled layer is exported as the blob that it came as, unless another compression is forced.
LayerBlobs::Blob LayerBlobs::pulled(const SnapshotLayer& layer, const std::stop_token& stop) const {
  const auto original = environment_.images.layer_descriptor(layer.result_digest);
  if (!format_.force || has_compression(original, format_.compression)) return {layer.result_digest, original};
  const cache::SerialisationKey key{.layer_id = layer.id,
                                    .compression = std::string(compression_name(format_.compression)),
                                    .level = level_in_key(format_),
                                    .clamp_mtime = {}};
  auto known = environment_.store.find_serialisation(key);
  if (!known) {
    const Fd in = environment_.images.open_blob(original);
    known = keep_blob(layer.id, key, [&](int out) {
      const auto made = image::recompress_blob(
          in.get(), out, {.compression = format_.compression, .level = format_.level, .stop = stop});
      if (made.diff_id != layer.result_digest) {
        throw Error(ExitClass::network,
                    fmt::format("layer {} holds {}, not {}", original.digest, made.diff_id, layer.result_digest));
      }
      return made;
    });
  }
  return {layer.result_digest,
          {.media_type = std::string(layer_type(format_.compression)), .digest = known->digest, .size = known->size}};
}

LayerBlobs::Blob LayerBlobs::local(const Wanted& wanted, const std::stop_token& stop) const {
  auto& store = environment_.store;
  const auto& layer = *wanted.layer;
  if (auto known = imported(wanted)) return std::move(*known);
  if (layer.imported || layer.held) environment_.steps.parts().fetcher.fetch_promised(layer, stop);
  const cache::SerialisationKey key{.layer_id = layer.id,
                                    .compression = std::string(compression_name(format_.compression)),
                                    .level = level_in_key(format_),
                                    .clamp_mtime = format_.clamp};
  auto known = store.find_serialisation(key);
  for (const auto& platform : wanted.platforms) {
    if (!store.find_audit(layer.id, platforms::to_string(platform))) known.reset();
  }
  if (!known) known = serialise(wanted, key, stop);
  return {known->diff_id,
          {.media_type = std::string(layer_type(format_.compression)), .digest = known->digest, .size = known->size}};
}

cache::Serialisation LayerBlobs::serialise(const Wanted& wanted, const cache::SerialisationKey& key,
                                           const std::stop_token& stop) const {
  auto& store = environment_.store;
  const auto& layer = *wanted.layer;
  const auto row = store.find_layer(layer.id);
  if (!row) throw Error(ExitClass::store, fmt::format("the layer {} has vanished from the store", layer.id));
  jobs::SerialiseRequest request{.out = {},
                                 .path = store.layer_path(layer.id),
                                 .implied = row->implied,
                                 .clamp_mtime = format_.clamp,
                                 .compression = format_.compression,
                                 .level = format_.level,
                                 .owners = environment_.inner.map().owner_mode(),
                                 .audit_for = wanted.platforms};
  return keep_blob(layer.id, key, [&](int out) {
    request.out = duplicate(out);
    const auto reply = jobs::serialise(environment_.inner.get(), request, stop);
    for (std::size_t i = 0; i < wanted.platforms.size(); ++i) {
      store.add_audit(layer.id, platforms::to_string(wanted.platforms[i]), pack_findings(reply.findings.at(i)));
    }
    return reply.serialisation;
  });
}

// Writes a blob under a temporary name, then gives it its final one and a row.
cache::Serialisation LayerBlobs::keep_blob(const std::string& layer_id, const cache::SerialisationKey& key,
                                           const std::function<image::Serialisation(int)>& write) const {
  auto& store = environment_.store;
  const std::string partial = fmt::format("{}/{}.blob", environment_.directory.path(), layer_id);
  const Fd out = open_file(partial, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (watcher_ != nullptr) watcher_->begun(layer_id, partial);
  const auto made = write(out.get());
  store.use_blob(made.digest, made.size);  // removes what can't be it
  if (::rename(partial.c_str(), store.blob_path(made.digest).c_str()) < 0)
    throw system_error(errno, "rename " + partial);
  crash_point("blob-named");
  const cache::Serialisation value{made.diff_id, made.digest, made.size};
  store.add_serialisation(key, value);
  return value;
}

}  // namespace mbuild::executor
