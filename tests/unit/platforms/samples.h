#pragma once

#include "platforms/platform.h"

// The two platforms that most tests speak of.
namespace mbuild::testing {

inline const platforms::Platform k_amd64{"linux", "amd64", "", ""};
inline const platforms::Platform k_arm64{"linux", "arm64", "", ""};

}  // namespace mbuild::testing
