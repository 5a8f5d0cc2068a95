#pragma once

#include <string>
#include <string_view>

#include "platforms/platform.h"

// The Dockerfile by which a compiler pack is made on purpose (compiler_pack.h).
namespace mbuild::executor {

// Where the compilers come from: the distribution's packages of cross compilers, or its package of the source of its
// own compiler. `automatic` takes the packages where they are of the very same source as the own one.
enum class PackOrigin { automatic, packages, source };

// "auto", "packages", "source"; throws Error (usage) for others.
PackOrigin parse_pack_origin(std::string_view text);

// What the stage "plan" found out: words separated by spaces, one fact a line.
struct PackPlan {
  PackOrigin origin = PackOrigin::packages;  // never `automatic`
  std::string compiler, own, cross;          // "gcc-12", its version, and that of the cross compiler ("" for none)
};
PackPlan parse_pack_plan(std::string_view text);

// Of the context "base", an image: stages "plan" (a file of that name), "facts" (a file, see parse_pack_facts) and
// "pack". The steps are in the stages "planned" and "made". Throws Error (usage) where packs for the platform can't be
// made.
std::string pack_dockerfile(const platforms::Platform& platform, PackOrigin origin);

}  // namespace mbuild::executor
