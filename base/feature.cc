#include "base/feature.h"

#include "base/host_variable.h"
#include "base/strings.h"

namespace mbuild {

bool feature_disabled(std::string_view name) {
  const auto list = host_variable("MBUILD_TEST_DISABLE");
  if (!list) return false;
  for (const auto& word : split(*list, ',')) {
    if (trim(word) == name) return true;
  }
  return false;
}

}  // namespace mbuild
