#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "cache/store.h"
#include "frontend/frontend.h"
#include "image/manifest.h"

// Where base images come from, and where their layers are to be had when one is needed at last.
namespace mbuild::executor {

class ImageSources {
 public:
  explicit ImageSources(cache::Store& store) : store_(store) {}

  // Manifest and configuration only; no layer is read. Throws Error that names the reference.
  std::vector<frontend::ResolvedImage> resolve(const std::vector<frontend::ImageQuery>& queries);

  // The blob of a layer of a resolved image. Throws Error (internal) for an unknown diff id.
  image::Descriptor layer_descriptor(const Digest& diff_id) const;
  // Opens a blob of the store or, failing that, of where the image came from. The reader checks the digest.
  Fd open_blob(const image::Descriptor& descriptor) const;

 private:
  frontend::ResolvedImage resolve_one(const frontend::ImageQuery& query);

  struct Origin {
    image::Descriptor descriptor;
    std::string layout;  // directory of the OCI layout
  };

  cache::Store& store_;
  mutable std::mutex mutex_;
  std::map<frontend::ImageQuery, frontend::ResolvedImage> resolved_;
  std::map<Digest, Origin> by_diff_id_;
  std::map<Digest, std::string> layout_of_blob_;
};

}  // namespace mbuild::executor
