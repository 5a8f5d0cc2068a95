#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/outputs/layer_blobs.h"
#include "image/annotations.h"
#include "image/exporters.h"

// What an output of an image type (oci, docker, image, registry) asks for, read from its attributes.
namespace mbuild::executor {

struct ImageOutput {
  LayerFormat layers;
  image::MediaFlavour flavour = image::MediaFlavour::oci;
  std::vector<std::string> names;  // normalised references
  bool push = false, push_by_digest = false;
  bool store = false;                 // kept in the store
  bool load = false;                  // handed to a container engine
  bool as_tar = true;                 // else a directory
  bool canonical = false;             // stored under NAME@DIGEST as well
  std::optional<std::int64_t> epoch;  // source-date-epoch: times in the config
  std::vector<image::Annotation> annotations;
};

// The value of an attribute, "" where it is not given; of a flag. Throw Error (usage).
std::string attribute(const Output& output, const std::string& name);
bool flag(const Output& output, const std::string& name, bool otherwise);

std::optional<std::int64_t> epoch_attribute(const Output& output);

bool is_push(const Output& output);
bool is_image_type(const Output& output);

// `epoch` is what file times are clamped to where the output asks for that and names no time itself. Throws Error
// (usage), in BuildKit's words.
ImageOutput read_image_output(const Output& output, const TargetRequest& request, std::optional<std::int64_t> epoch);

// Messages about attributes that nothing reads, or that have no effect as they are given.
std::vector<std::string> output_warnings(const Output& output);

}  // namespace mbuild::executor
