#pragma once

#ifndef MBUILD_VERSION
#define MBUILD_VERSION "0.1.0"
#endif

namespace mbuild::cli {

inline constexpr const char* k_version = MBUILD_VERSION;
// The release of docker's buildx whose command line and definitions this program takes. Programs that need one of
// buildx (docker compose, actions of CI) refuse older ones.
inline constexpr const char* k_buildx_version = "v0.36.1";

}  // namespace mbuild::cli
