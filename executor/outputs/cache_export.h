#pragma once

#include <stop_token>

#include "executor/outputs/environment.h"
#include "executor/outputs/layer_blobs.h"
#include "oci/step_cache.h"

// What --cache-to asks for: the steps of a build and their layers, for other builders (docs/formats.md).
namespace mbuild::executor {

// Throws Error (usage) for a reference that no build could satisfy, and for one that lacks what its type needs.
void check_caches(const TargetRequest& request);

// Writes each cache of the request but inline ones. Only blobs that the target lacks are sent. Throws Error, unless the
// reference says ignore-error.
void export_caches(const ExportEnvironment& environment, std::stop_token stop);

// True when images are to carry their steps in their configurations.
bool wants_inline_cache(const TargetRequest& request);
// The steps of a build with the layers of one image, for its configuration.
std::string inline_cache(const ExportEnvironment& environment, const LayerBlobs& blobs, const LayerList& layers);

}  // namespace mbuild::executor
