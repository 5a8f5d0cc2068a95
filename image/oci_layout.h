#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "oci/manifest.h"
#include "oci/select_image.h"
#include "platforms/platform.h"

// Reading an OCI image layout directory (OCI image specification, image-layout.md).
namespace mbuild::image {

struct LayoutReference {
  std::string directory;
  std::string tag;  // "": "latest", or the only image that there is
  Digest digest;    // "": by tag
};

// "DIR[:TAG][@DIGEST]", with or without "oci-layout://". Throws Error (usage).
LayoutReference parse_layout_reference(std::string_view text);

// What the reference means in the layout: the descriptor of a manifest or an index. Throws Error (usage) that lists
// the tags that are there.
Descriptor resolve_layout(const LayoutReference& reference);
// The image for a platform: manifest and config, verified. Throws Error (usage) that lists the platforms there are.
ImageDescription read_layout_image(const LayoutReference& reference, const platforms::Platform& platform);

// The entries of index.json that refer to this manifest.
std::vector<Descriptor> layout_referrers(const std::string& directory, const Digest& subject);

// The content of the file oci-layout.
inline constexpr std::string_view k_layout_version = R"({"imageLayoutVersion":"1.0.0"})";
// Names images in index.json, instead of what had those names; the layout becomes one if it was none. The blobs are
// there already.
void add_layout_entries(const std::string& directory, std::vector<Descriptor> entries);

// Opens a blob; its size is checked where the descriptor tells one. The reader has to check the digest.
Fd open_layout_blob(const std::string& directory, const Descriptor& descriptor);
// All of a blob, verified.
std::string read_layout_blob(const std::string& directory, const Descriptor& descriptor);
// Copies from one descriptor to another while verifying digest and (where not 0) size. Throws Error (network) after
// the last byte when they differ.
void copy_verified(int from, int to, const Descriptor& descriptor, const std::stop_token& stop = {});

}  // namespace mbuild::image
