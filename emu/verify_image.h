#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "image/image_place.h"
#include "platforms/platform.h"

// Checks an image wherever it is, without unpacking it: digests and sizes, that index, config and programs speak of the
// same platform, that interpreters are there.
namespace mbuild::emu {

struct VerifyFinding {
  bool error = false;  // else a warning
  std::string what;    // "blob", "platform", "architecture", "loader", "isa-level", "interpreter"
  std::string path;    // in the image; "" for what concerns no file
  std::string layer;   // digest; "" likewise
  std::string message;
};

struct VerifiedImage {
  platforms::Platform platform;
  Digest manifest;
  std::size_t layers = 0, entries = 0, elf_files = 0;
  std::vector<VerifyFinding> findings;

  std::size_t errors() const;
};

struct VerifyOptions {
  std::vector<platforms::Platform> platforms;  // none: all
  std::vector<std::string> allow;              // globs, as of ArchitectureAudit
  std::stop_token stop;
};

// All images that the place leads to, attestations left out. Throws Error where not even a manifest can be read,
// (usage) for a wanted platform that is not there.
std::vector<VerifiedImage> verify_images(const image::ImagePlace& place, const VerifyOptions& options = {});

}  // namespace mbuild::emu
