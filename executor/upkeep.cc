#include "executor/upkeep.h"

#include "base/error.h"
#include "base/feature.h"
#include "base/subprocess.h"
#include "executor/collect.h"

namespace mbuild::executor {

void start_upkeep(const std::string& store_root) {
  if (feature_disabled("upkeep")) return;
  try {
    start_self({k_upkeep_argument, store_root});
  } catch (const Error&) {
    // the next build keeps the store
  }
}

}  // namespace mbuild::executor
