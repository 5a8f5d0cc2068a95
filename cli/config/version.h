#pragma once

#ifndef MBUILD_VERSION
#define MBUILD_VERSION "0.1.0"
#endif

namespace mbuild::cli {

inline constexpr const char* k_version = MBUILD_VERSION;

}  // namespace mbuild::cli
