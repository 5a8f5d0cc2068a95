#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platforms/platform.h"

// Compiler packs that are kept, pushed and pulled (docs/formats.md, "Compiler packs"): an image for the host's platform
// with cross compilers for another one, and all that these need to run. A pack is found by its tag, which the packages
// of a base image tell.
namespace mbuild::executor {

inline constexpr std::string_view k_pack_artifact_type = "application/vnd.mbuild.compiler-pack.v1";
// The name that packs have in the store, but for the tag.
inline constexpr std::string_view k_stored_pack = "localhost/compiler-pack";
// The file in a pack that tells what it has; so does the layer of a pack that a build makes by itself.
inline constexpr std::string_view k_pack_facts_path = "usr/share/compiler-pack";

// What is in the file: words separated by spaces, one fact a line.
struct PackFacts {
  std::string platform;                                       // that it compiles for: "linux/arm64"
  std::string base;                                           // version of the base image's compiler runtime
  std::vector<std::pair<std::string, std::string>> packages;  // of compilers: name, version
  std::map<std::string, std::string> programs, replaces;      // path -> SHA-256 in hex; replaces: of what is emulated
};
PackFacts parse_pack_facts(std::string_view text);

// The tag of a pack: "arm64-on-amd64-14.2.0-19". `base` is the version of the package libgcc-s1 in the image, which
// comes with its compilers' source; "" where there is none.
std::string pack_tag(const platforms::Platform& host, const platforms::Platform& target, std::string_view base);
inline constexpr std::string_view k_pack_base_package = "libgcc-s1";

// Debian's name of a platform whose native and cross compilers are known to give the same code; "" for others.
std::string pack_triplet(const platforms::Platform& platform);

// What the manifest of a pack says of it.
std::map<std::string, std::string> pack_annotations(const PackFacts& facts);
inline constexpr std::string_view k_pack_tag_annotation = "vnd.mbuild.compiler-pack.tag";
inline constexpr std::string_view k_pack_platform_annotation = "vnd.mbuild.compiler-pack.platform";
inline constexpr std::string_view k_pack_packages_annotation = "vnd.mbuild.compiler-pack.packages";

// One of --accel-packs: whether it is a directory and not a repository of a registry.
bool is_pack_directory(std::string_view place);
// Throws Error (usage) for what is neither.
void check_pack_place(const std::string& place);

}  // namespace mbuild::executor
