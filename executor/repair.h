#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "cache/store.h"
#include "executor/full_disk.h"

namespace mbuild::executor {

// Told what was put right in the store, in a whole sentence.
using RepairListener = std::function<void(std::string)>;

// Removes what turned out to be damaged in the store, so that it is a miss; true when there was something. Only of a
// failure that can come of it is it looked for: that means to read all that the build has used.
bool repair(cache::Store& store, const Error& error, const RepairListener& tell);

// Does `work`, and does it again where what it failed for could be put right. `lost`, if given, says so of what `work`
// has to know of.
template <class Work>
auto with_repairs(cache::Store& store, const RepairListener& tell, const Work& work,
                  const std::function<bool()>& lost = {}) {
  constexpr int k_at_most = 3;
  for (int repairs = 0;; ++repairs) {
    try {
      return work();
    } catch (const Error& error) {
      if (is_out_of_space(error)) throw;
      const bool repaired = repair(store, error, tell);
      if ((!(lost && lost()) && !repaired) || repairs == k_at_most) throw;
    }
  }
}

}  // namespace mbuild::executor
