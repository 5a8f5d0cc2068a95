#include "executor/build_session.h"

#include <utility>

#include "executor/outputs/export.h"

namespace mbuild::executor {

BuildSession::BuildSession(const SessionRequest& asked, std::span<const TargetRequest> of, ProgressSink& told,
                           std::span<BuildResult> filled, std::stop_token stopping)
    : request(asked),
      targets(of),
      sink(told),
      results(filled),
      stop(std::move(stopping)),
      retries_(sink),
      mirrors_(sink),
      transfers_(sink),
      place(request.store_root),
      workplace(place, warn("HostNetwork"), stop),
      images(
          place.store,
          image_options(request, targets, registries_of(request, targets),
                        {.retry = std::ref(retries_), .transfer = std::ref(transfers_), .mirror = std::ref(mirrors_)}),
          stop) {}

std::function<void(std::string)> BuildSession::warn(const char* rule) {
  return [this, rule](std::string text) {
    const std::lock_guard lock(warnings_lock_);
    results.front().warnings.push_back({.rule = rule, .message = std::move(text)});
  };
}

}  // namespace mbuild::executor
