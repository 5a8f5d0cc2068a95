#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/outputs/layer_blobs.h"
#include "image/annotations.h"
#include "image/exporters.h"

// What an output of an image type and the request that it belongs to ask for together.
namespace mbuild::executor {

struct ImageOutput {
  LayerFormat layers;
  image::MediaFlavour flavour = image::MediaFlavour::oci;
  std::vector<std::string> names;  // normalised references
  std::vector<image::Annotation> annotations;
};

// `epoch` is what file times are clamped to where the output asks for that and names no time itself. Throws Error
// (usage), in BuildKit's words.
ImageOutput image_output(const Output& output, const TargetRequest& request, std::optional<std::int64_t> epoch);

// What an output's files get their times clamped to; none: they keep them.
std::optional<std::int64_t> clamp_of(const Output& output, const TargetRequest& request,
                                     std::optional<std::int64_t> epoch);

}  // namespace mbuild::executor
