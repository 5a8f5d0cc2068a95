#include "executor/workplace.h"

#include <exception>
#include <filesystem>
#include <utility>

#include "worker/jobs/jobs.h"

namespace mbuild::executor {

BuildStore::BuildStore(const std::string& root, LazyInner::Begin begin)
    : map(compute_id_map()),
      inner(map, cache::Store::emulators_path(root), begin),
      store(root, std::string(digest_hex(map.digest()).substr(0, 16))),
      directory(store) {}

Workplace::Workplace(BuildStore& place, std::function<void(std::string)> warn, std::stop_token stop)
    : inner(place.inner),
      network([this]() -> Inner& { return inner.get(); }, std::move(warn), std::move(stop),
              NetworkProof(place.store.network_proof_path())),
      directory_(place.directory),
      abandoned_(cache::abandoned_build_directories(place.store)) {}

Workplace::~Workplace() {
  try {
    if (inner.started() || !abandoned_.empty()) {
      if (directory_.is_made()) abandoned_.push_back(directory_.path());
      jobs::remove(inner.get(), abandoned_, {});
    } else if (directory_.is_made()) {
      std::filesystem::remove_all(directory_.path());
    }
  } catch (const std::exception&) {
    // The next build sweeps it.
  }
}

void Workplace::remove_later(std::string path) {
  const std::lock_guard guard(mutex_);
  abandoned_.push_back(std::move(path));
}

}  // namespace mbuild::executor
