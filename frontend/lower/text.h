#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/image_config.h"

// The words of history entries, which are Go's ways to print values.
namespace mbuild::frontend::lowering {

// "a\tb" in double quotes with Go's escapes (strconv.Quote).
std::string go_quote(std::string_view text);
// ["a" "b"], as fmt's %q prints a list of strings.
std::string go_quoted_list(const std::vector<std::string>& words);
// [a b], as %v does.
std::string go_list(const std::vector<std::string>& words);
// "1m30s", "1.5s", "100ms", "0s".
std::string go_duration(std::int64_t nanoseconds);
// {Test:[...] Interval:0s ...}.
std::string go_health_check(const HealthCheck& check);

}  // namespace mbuild::frontend::lowering
