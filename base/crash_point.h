#pragma once

#include <string_view>

namespace mbuild {

// A place where tests end the process as if somebody had killed it: MBUILD_TEST_CRASH_AT=NAME:N kills it when it comes
// to the place for the Nth time. Costs a comparison otherwise.
void crash_point(std::string_view name);

}  // namespace mbuild
