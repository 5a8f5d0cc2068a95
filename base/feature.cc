#include "base/feature.h"

#include <cstdlib>

#include "base/strings.h"

namespace mbuild {

bool feature_disabled(std::string_view name) {
  const char* list = std::getenv("MBUILD_TEST_DISABLE");
  if (list == nullptr) return false;
  for (const auto& word : split(list, ',')) {
    if (trim(word) == name) return true;
  }
  return false;
}

}  // namespace mbuild
