#include "executor/repair.h"

#include <fmt/format.h>

namespace mbuild::executor {

bool repair(cache::Store& store, const Error& error, const RepairListener& tell) {
  if (store.index_is_damaged()) {
    store.replace_index();
    tell("the index of the store was damaged: it was set aside (index.db.damaged-*), and all is made anew");
    return true;
  }
  if (error.exit_class != ExitClass::store && error.exit_class != ExitClass::network) return false;
  const auto count = store.remove_damaged_blobs();
  if (count > 0)
    tell(fmt::format("{} in the store had been damaged and {} made anew", count == 1 ? "a blob" : "blobs",
                     count == 1 ? "is" : "are"));
  return count > 0;
}

}  // namespace mbuild::executor
