#pragma once

#include <string>
#include <vector>

#include "executor/describe.h"

namespace mbuild::cli {

// The answers of --call=outline, targets and subrequests.describe on standard output, as text or JSON.
void print_outline(const executor::Described& described, bool json);
void print_targets(const executor::Described& described, bool json);
void print_subrequests(bool json);

}  // namespace mbuild::cli
