#pragma once

#include <string>

#include "worker/jobs/operation.h"
#include "worker/sandbox/sandbox.h"
#include "worker/snapshot/snapshot_mount.h"

namespace mbuild::containers {

// Gives a volume what an image has in a directory, with owners and modes, and those of the directory itself. Nothing
// happens where the image has none there.
struct FillRequest {
  executor::Stack image;
  std::string path;             // in the image
  executor::SandboxMount into;  // of host_directory()
  std::string work;             // an existing directory
  image::OwnerMode owners = image::OwnerMode::real;
};
void fill_volume_job(FillRequest request);
inline constexpr executor::jobs::Operation<"fill-volume", fill_volume_job> fill_volume;

}  // namespace mbuild::containers
