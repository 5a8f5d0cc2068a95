#pragma once

#include <stop_token>
#include <string>

#include "base/fd.h"
#include "executor/outputs/early_uploads.h"
#include "executor/sources/base_images.h"
#include "image/exporters.h"

namespace mbuild::executor {

struct PushOptions {
  bool by_digest = false;         // no tag is set
  EarlyUploads* early = nullptr;  // what is on its way already
};

// The repository that is pushed to first.
remote::Repository first_repository(const std::vector<std::string>& names);

// Sends a set of images to the registries that its names tell: blobs that the registry lacks (mounted from the base
// image's repository where that is on the same host), manifests, and last the top level, under each tag. Throws Error
// (network).
void push_images(const image::ImageSet& set, ImageSources& images, const image::OpenBlob& open_blob,
                 const PushOptions& options, std::stop_token stop);

}  // namespace mbuild::executor
