#include "executor/outputs/kept_images.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "image/oci_layout.h"
#include "oci/list_images.h"
#include "oci/reference.h"
#include "oci/select_image.h"

namespace mbuild::executor {
namespace {

constexpr unsigned k_blobs_at_once = 4;
constexpr int k_max_nesting = 8;

// All that an image or an index consists of.
class Parts {
 public:
  explicit Parts(const image::ImagePlace& from) : from_(from) {}

  void add(const image::Descriptor& document, int depth = 0) {
    if (depth > k_max_nesting) throw Error(ExitClass::usage, "the image indexes are nested too deeply");
    if (!seen_.insert(document.digest).second) return;
    const std::string bytes = from_.read(document);
    if (image::is_index_type(document.media_type)) {
      for (const auto& inner : image::parse_index(bytes).manifests) add(inner, depth + 1);
    } else {
      const auto manifest = image::parse_manifest(bytes);
      add_blob(manifest.config);
      for (const auto& layer : manifest.layers) add_blob(layer);
    }
    documents.emplace_back(document, bytes);
  }

  std::vector<std::pair<image::Descriptor, std::string>> documents;  // what they name before them
  std::vector<image::Descriptor> blobs;

 private:
  void add_blob(const image::Descriptor& blob) {
    if (seen_.insert(blob.digest).second) blobs.push_back(blob);
  }
  const image::ImagePlace& from_;
  std::set<Digest> seen_;
};

void take_blob(const image::ImagePlace& from, const image::Descriptor& blob, const image::GetRegistry& registry,
               cache::Store& store, const std::stop_token& stop) {
  if (store.use_blob(blob.digest, blob.size)) return;
  PartialFile to(store.blob_path(blob.digest), 0600);
  if (from.repository) {
    registry().pull_blob(
        *from.repository, {blob.digest, blob.size},
        {.data = [&](std::string_view bytes) { write_all(to.fd(), bytes); }, .restart = [&] { to.start_again(); }},
        stop);
  } else {
    image::copy_verified(from.open(blob).get(), to.fd(), blob, stop);
  }
  to.commit();
  store.added_blob();
}

image::Descriptor image_for(const image::ImagePlace& from, const platforms::Platform& platform) {
  const auto found =
      image::select_image(from.top, platform, from.read, from.name, !image::is_index_type(from.top.media_type));
  return {
      .media_type = found.manifest.media_type, .digest = found.manifest_digest, .size = found.manifest_bytes.size()};
}

}  // namespace

cache::StoredImage keep_image(const image::ImagePlace& from, const std::vector<std::string>& names,
                              const std::optional<platforms::Platform>& platform, const image::GetRegistry& registry,
                              cache::Store& store, const std::stop_token& stop) {
  const auto top = platform ? image_for(from, *platform) : from.top;
  Parts parts(from);
  parts.add(top);
  parallel_for(parts.blobs.size(), k_blobs_at_once,
               [&](std::size_t i) { take_blob(from, parts.blobs[i], registry, store, stop); });
  cache::StoredImage kept{.name = {},
                          .media_type = top.media_type,
                          .digest = top.digest,
                          .size = top.size,
                          .platforms = {},
                          .created = unix_seconds(),
                          .blobs = {}};
  for (const auto& [document, bytes] : parts.documents) {
    if (!store.use_blob(document.digest, bytes.size())) {
      write_file_atomically(store.blob_path(document.digest), bytes, 0600);
      store.added_blob();
    }
    kept.blobs.push_back(document.digest);
    kept.bytes += bytes.size();
  }
  for (const auto& blob : parts.blobs) {
    kept.blobs.push_back(blob.digest);
    kept.bytes += blob.size;
  }
  std::vector<std::string> there;
  for (const auto& one : image::list_images(top, from.read)) there.push_back(platforms::to_string(one.platform));
  kept.platforms = join(there, ",");
  for (const auto& name : names) {
    kept.name = name;
    store.add_image(kept);
  }
  return kept;
}

image::ImagePlace stored_place(cache::Store& store, const cache::StoredImage& kept) {
  const auto lost = [name = kept.name](const Digest& digest) {
    return Error(ExitClass::store, fmt::format("the image {} that the store keeps lacks {}", name, digest))
        .with_advice(fmt::format("Build or pull it again, or forget it: mbuild rmi {}", name));
  };
  image::ImagePlace place;
  place.name = kept.name;
  place.top = {.media_type = kept.media_type, .digest = kept.digest, .size = kept.size};
  place.read = [&store, lost](const image::Descriptor& document) {
    if (!store.use_blob(document.digest)) throw lost(document.digest);
    auto bytes = read_file(store.blob_path(document.digest));
    if (sha256(bytes) != document.digest) throw lost(document.digest);
    return bytes;
  };
  place.open = [&store, lost](const image::Descriptor& blob) {
    if (!store.use_blob(blob.digest, blob.size)) throw lost(blob.digest);
    return open_file(store.blob_path(blob.digest), O_RDONLY);
  };
  place.referrers = [](const Digest&) { return std::vector<image::Descriptor>(); };
  return place;
}

namespace {

// Of a manifest, be it an image's or one that attests something of an image.
image::FinishedImage finished(const image::ImagePlace& place, const image::Descriptor& of) {
  image::FinishedImage out;
  out.manifest = of;
  out.manifest_bytes = place.read(of);
  out.manifest.size = out.manifest_bytes.size();
  const auto manifest = image::parse_manifest(out.manifest_bytes);
  out.manifest.media_type = manifest.media_type;
  out.config = manifest.config;
  out.config_bytes = place.read(manifest.config);
  out.layers = manifest.layers;
  return out;
}

}  // namespace

image::ImageSet stored_set(const image::ImagePlace& place, const std::vector<std::string>& names) {
  image::ImageSet set;
  set.names = names;
  for (const auto& one : image::list_images(place.top, place.read)) {
    set.images.push_back(finished(place, one.descriptor));
    set.images.back().platform = one.platform;
    const auto& type = set.images.back().manifest.media_type;
    if (type == image::media_type::k_docker_manifest) set.flavour = image::MediaFlavour::docker;
  }
  if (!image::is_index_type(place.top.media_type)) return set;
  const auto index = image::parse_index(place.read(place.top));
  set.index_annotations = index.annotations;
  for (const auto& one : index.manifests) {
    if (image::is_attestation(one)) set.images.push_back(finished(place, one));
  }
  return set;
}

namespace {

std::optional<cache::StoredImage> stored_by_name(cache::Store& store, const std::string& word) {
  try {
    return store.find_image(frontend::to_string(frontend::with_default_tag(frontend::parse_reference(word))));
  } catch (const Error&) {
    return std::nullopt;  // it is no name
  }
}

}  // namespace

std::vector<cache::StoredImage> stored_by_digest(cache::Store& store, const std::string& word) {
  constexpr std::size_t k_least_digits = 4;
  std::vector<cache::StoredImage> out;
  for (const auto& kept : store.images()) {
    const bool starts = kept.digest.starts_with(word) || digest_hex(kept.digest).starts_with(word);
    if (starts && word.size() >= k_least_digits) out.push_back(kept);
  }
  const auto is_other = [&](const auto& kept) { return kept.digest != out.front().digest; };
  if (std::ranges::none_of(out, is_other)) return out;
  throw usage_error(fmt::format("{} means {} images", word, out.size())).with_advice("Give more digits of the digest.");
}

std::vector<cache::StoredImage> find_all_stored(cache::Store& store, const std::string& word) {
  if (auto named = stored_by_name(store, word)) return {std::move(*named)};
  auto out = stored_by_digest(store, word);
  if (!out.empty()) return out;
  throw usage_error("the store has no image " + word).with_advice("mbuild images lists those there are.");
}

cache::StoredImage find_stored(cache::Store& store, const std::string& word) {
  return find_all_stored(store, word).front();
}

bool is_stored(cache::Store& store, const std::string& word) {
  return stored_by_name(store, word) || !stored_by_digest(store, word).empty();
}

std::vector<std::string> forget_image(cache::Store& store, const std::string& word, bool all) {
  std::vector<std::string> names;
  for (const auto& one : find_all_stored(store, word)) names.push_back(one.name);
  if (names.size() > 1 && !all) {
    throw usage_error(fmt::format("the image {} has several names: {}", word, join(names, ", ")))
        .with_advice("Name one of them, or remove all with `mbuild rmi -f`.");
  }
  for (const auto& name : names) store.remove_image(name);
  return names;
}

}  // namespace mbuild::executor
