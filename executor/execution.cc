#include "executor/execution.h"

#include <algorithm>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/parallel.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/export.h"
#include "executor/repair.h"
#include "executor/steps/explain.h"
#include "executor/steps/scheduler.h"

namespace mbuild::executor {
namespace {

SchedulerLimits limits_of(const BuildRequest& request) {
  const unsigned cores = core_count();
  const unsigned jobs = request.jobs > 0 ? request.jobs : std::max(32U, 4 * cores);
  const unsigned emulated = std::min(jobs, 2 * cores);
  return {.jobs = jobs, .of_class = {jobs, emulated, jobs, emulated}};
}

}  // namespace

Execution::Execution(BuildSession& session, Definition& definition)
    : session_(session),
      definition_(definition),
      imports_(session.request, session.images, definition.front.platforms, session.warn("CacheImport"), session.stop),
      steps_({.graph = definition.lowered.graph,
              .plan = definition.plan,
              .request = session.request,
              .store = session.place.store,
              .directory = session.place.directory,
              .images = session.images,
              .imports = imports_,
              .contexts = definition.contexts,
              .inner = session.workplace.inner,
              .network = session.workplace.network,
              .sink = session.sink,
              .excerpt = [&definition](graph::NodeId id) { return definition.excerpt(id); },
              .warn_of_isolation = session.warn("LessIsolation"),
              .remove_later = [&session](std::string path) { session.workplace.remove_later(std::move(path)); }}),
      exporting_{.request = session.request,
                 .dockerfile = definition.front.dockerfile,
                 .lowered = definition.lowered,
                 .store = session.place.store,
                 .directory = session.place.directory,
                 .images = session.images,
                 .inner = session.workplace.inner,
                 .steps = steps_,
                 .sink = session.sink,
                 .result = session.result,
                 .excerpt = [&definition](graph::NodeId id) { return definition.excerpt(id); },
                 .epoch = definition.epoch} {}

// False when a promise of an imported cache was broken: all is to be looked up again, without it.
bool Execution::run_and_export() {
  session_.result.descriptor = {};
  session_.result.images.clear();
  try {
    if (!definition_.plan.order.empty()) {
      run_plan(
          definition_.plan, limits_of(session_.request), [&](graph::NodeId id) { return steps_.class_of(id); },
          [&](graph::NodeId id, std::stop_token step_stop) { steps_.run(id, std::move(step_stop)); }, session_.stop);
    }
    export_images(exporting_, session_.stop);
    crash_point("image-written");
    export_caches(exporting_, session_.stop);
    return true;
  } catch (const PromiseBroken& broken) {
    imports_.drop(broken.result);
    steps_.start_over();
    return false;
  }
}

void Execution::run() {
  bool again = false;
  const auto attempt = [&] {
    if (std::exchange(again, true)) steps_.start_over();
    while (!run_and_export()) {
    }
  };
  with_repairs(session_.place.store, session_.warn("DamagedStore"), attempt,
               [&] { return steps_.parts().layers.forget_lost(); });
}

void Execution::note_inputs() {
  try {
    const SeenBuild seen{.request = session_.request,
                         .dockerfile = definition_.inputs.dockerfile_name,
                         .plan = definition_.plan,
                         .table = steps_.parts().table,
                         .reads = steps_.parts().reads,
                         .store = session_.place.store};
    if (session_.request.explain) {
      session_.result.explanations = explain_steps(seen);
    } else {
      remember_steps(seen);
    }
  } catch (const Error&) {
    // The next build knows less.
  }
}

void Execution::end() {
  session_.workplace.network.end();
  note_inputs();
  session_.result.steps_run = steps_.steps_run();
  session_.result.steps_cached = steps_.steps_cached();
}

}  // namespace mbuild::executor
