#include "executor/outputs/stored_images.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "image/oci_layout.h"
#include "worker/ids/id_map.h"

namespace mbuild::executor {
namespace {

void keep_blob(const image::Blob& blob, cache::Store& store, const image::OpenBlob& open_blob) {
  const std::string path = store.blob_path(blob.descriptor.digest);
  if (store.use_blob(blob.descriptor.digest, blob.descriptor.size) &&
      (!blob.bytes || store.verify_blob(blob.descriptor.digest))) {
    return;
  }
  if (blob.bytes) return write_file_atomically(path, *blob.bytes, 0600);
  const Fd from = open_blob(blob.descriptor.digest);
  if (path_exists(path)) return;  // opening a blob of a registry keeps it
  PartialFile to(path, 0600);
  image::copy_verified(from.get(), to.fd(), blob.descriptor);
  to.commit();
}

}  // namespace

void store_image(const image::ImageSet& set, cache::Store& store, const image::OpenBlob& open_blob, bool canonical) {
  const auto top = image::top_level(set);
  cache::StoredImage image{.name = {},
                           .media_type = top.descriptor.media_type,
                           .digest = top.descriptor.digest,
                           .size = top.descriptor.size,
                           .platforms = {},
                           .created = unix_seconds(),
                           .blobs = {}};
  for (const auto& blob : image::blobs_of(set, top)) {
    keep_blob(blob, store, open_blob);
    image.blobs.push_back(blob.descriptor.digest);
    image.bytes += blob.descriptor.size;
  }
  std::vector<std::string> platforms;
  for (const auto& one : set.images) {
    if (!image::is_attestation(one.manifest)) platforms.push_back(platforms::to_string(one.platform));
  }
  image.platforms = join(platforms, ",");
  auto names = set.names;
  if (names.empty()) names.push_back(image.digest);
  if (canonical) {
    for (const auto& name : set.names) names.push_back(name + "@" + image.digest);
  }
  for (auto& name : names) {
    image.name = name;
    store.add_image(image);
  }
}

cache::Store open_store(const std::string& root) {
  return {root, std::string(digest_hex(compute_id_map().digest()).substr(0, 16)), cache::Store::Purpose::cleaning};
}

}  // namespace mbuild::executor
