#pragma once

#include <memory>
#include <span>
#include <stop_token>

#include "image/combine_index.h"
#include "image/copy_image.h"
#include "remote/registry.h"

namespace mbuild::cli {

// The registry client of a command: made when something is first asked of a registry.
class RegistryClient {
 public:
  // Refers to this object.
  image::GetRegistry get();

 private:
  std::unique_ptr<remote::Registry> registry_;
};

// Copies what the index refers to from its sources to every target, then puts the index there, tags last.
void publish(const image::CombinedIndex& combined, std::span<const image::IndexSource> sources,
             std::span<const image::ImageTarget> targets, const image::GetRegistry& registry,
             const std::stop_token& stop);

}  // namespace mbuild::cli
