#include "executor/build_session.h"

#include <utility>

#include "executor/outputs/export.h"

namespace mbuild::executor {

BuildSession::BuildSession(const BuildRequest& asked, ProgressSink& told, BuildResult& filled, std::stop_token stopping)
    : request(asked),
      sink(told),
      result(filled),
      stop(std::move(stopping)),
      retries_(sink),
      mirrors_(sink),
      transfers_(sink),
      place(request.store_root),
      workplace(place, warn("HostNetwork"), stop),
      images(
          place.store,
          image_options(request, registries_of(request),
                        {.retry = std::ref(retries_), .transfer = std::ref(transfers_), .mirror = std::ref(mirrors_)}),
          stop) {}

std::function<void(std::string)> BuildSession::warn(const char* rule) {
  return [this, rule](std::string text) {
    const std::lock_guard lock(warnings_lock_);
    result.warnings.push_back({.rule = rule, .message = std::move(text)});
  };
}

}  // namespace mbuild::executor
