#include "worker/fresh_caches.h"

#include <exception>
#include <utility>

namespace mbuild::executor {

std::string FreshCaches::use(User& user, std::string_view name, const std::string& path) {
  const std::lock_guard lock(mutex_);
  user.caches_ = this;
  auto& fresh = fresh_.try_emplace(std::string(name), Fresh{.path = path}).first->second;
  if (fresh.path.empty()) return "";
  ++fresh.users;
  user.names_.emplace_back(name);
  return fresh.path;
}

void FreshCaches::User::release(bool success) {
  if (caches_ == nullptr) return;
  const std::lock_guard lock(caches_->mutex_);
  for (const auto& name : std::exchange(names_, {})) {
    auto& fresh = caches_->fresh_.find(name)->second;
    fresh.succeeded = fresh.succeeded || success;
    if (--fresh.users > 0 || !fresh.succeeded) continue;
    const std::string path = std::exchange(fresh.path, {});
    try {
      caches_->replace_(name, path);
    } catch (const std::exception&) {
      if (success) throw;  // else the step's own failure is what is told
    }
  }
}

}  // namespace mbuild::executor
