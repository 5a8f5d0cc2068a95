#include "executor/prune.h"

#include "base/error.h"
#include "cache/store.h"
#include "executor/jobs.h"
#include "executor/lazy_inner.h"

namespace mbuild::executor {

void prune_all(const std::string& store_root) {
  if (!path_exists(store_root + "/VERSION")) return;
  // Whoever opens the store waits for this lock, so no build can begin meanwhile.
  const auto opening = cache::FileLock::acquire(store_root + "/locks/open");
  if (cache::is_in_use(store_root)) {
    throw Error(ExitClass::store, "a build is using the store " + store_root).with_advice("Wait until it has ended.");
  }
  const IdMap map = compute_id_map();
  LazyInner inner(map);
  jobs::remove(inner.get(),
               {store_root + "/fs", store_root + "/blobs", store_root + "/index.db", store_root + "/index.db-wal",
                store_root + "/index.db-shm"},
               {});
}

}  // namespace mbuild::executor
