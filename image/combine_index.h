#pragma once

#include <span>
#include <string>
#include <vector>

#include "image/annotations.h"
#include "image/exporters.h"
#include "image/image_place.h"

// Making one image index of several images and indexes.
namespace mbuild::image {

struct IndexSource {
  ImagePlace place;
  Descriptor descriptor;  // with platform and annotations where the user gave them
};

struct CombineOptions {
  std::vector<platforms::Platform> platforms;  // only these; none: all
  std::vector<Annotation> annotations;         // of places index and manifest_descriptor
  bool prefer_index = true;                    // false: a single manifest is taken as it is
};

struct CombinedEntry {
  Descriptor descriptor;
  std::size_t source = 0;  // that it comes from
};

struct CombinedIndex {
  TopLevel top;
  std::vector<CombinedEntry> entries;   // what the target has to have
  std::vector<std::string> overridden;  // platforms for which a later source was taken instead of an earlier one
};

// The manifests of all sources, each once, attestations with the images that they speak of; of two images for one
// platform that of the later source. A single index without changes keeps its bytes. Throws Error (usage).
CombinedIndex combine_index(std::span<const IndexSource> sources, const CombineOptions& options);

}  // namespace mbuild::image
