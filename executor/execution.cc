#include "executor/execution.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/parallel.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/export.h"
#include "executor/outputs/native_stages.h"
#include "executor/repair.h"
#include "executor/steps/explain.h"
#include "executor/steps/scheduler.h"

namespace mbuild::executor {
namespace {

SchedulerLimits limits_of(const SessionRequest& request) {
  const unsigned cores = core_count();
  const unsigned all = request.steps_at_once > 0 ? request.steps_at_once : std::max(32U, 4 * cores);
  const unsigned emulated = std::min(all, 2 * cores);
  return {.steps_at_once = all, .of_class = {all, emulated, all, emulated}};
}

// Each once.
template <class Item, class Of>
std::vector<Item> of_all(const Definitions& definitions, const Of& of) {
  std::vector<Item> out;
  for (const auto& target : definitions.targets) {
    if (!target) continue;
    for (const auto& item : of(*target)) {
      if (std::ranges::find(out, item) == out.end()) out.push_back(item);
    }
  }
  return out;
}

std::vector<platforms::Platform> platforms_of(const Definitions& definitions) {
  return of_all<platforms::Platform>(definitions, [](const Definition& target) { return target.front.platforms; });
}

// What one target may use of a cache, all may: what is found in one is the same whoever looks.
std::vector<CacheReference> caches_of(const Definitions& definitions) {
  return of_all<CacheReference>(definitions, [](const Definition& target) { return target.request.cache_from; });
}

StepTargets step_targets(const Definitions& definitions) {
  std::map<std::uint32_t, StepTarget> out;
  for (const auto& target : definitions.targets) {
    if (!target) continue;
    const auto excerpt = [&definitions, &target = *target](graph::NodeId id) {
      return target.excerpt(definitions.graph, id);
    };
    out.emplace(target->number, StepTarget{target->request, target->contexts, excerpt});
  }
  return {definitions.graph, std::move(out)};
}

// A merge of layers is no work of its own.
bool is_told_of(const graph::Node& node) { return !std::holds_alternative<graph::MergeOp>(node.op); }

}  // namespace

Execution::Execution(BuildSession& session, Definitions& definitions)
    : session_(session),
      definitions_(definitions),
      imports_(caches_of(definitions), session.images, platforms_of(definitions), session.warn("CacheImport"),
               session.stop),
      steps_({.graph = definitions.graph,
              .plan = definitions.plan,
              .session = session.request,
              .targets = step_targets(definitions),
              .platforms = platforms_of(definitions),
              .store = session.place.store,
              .directory = session.place.directory,
              .images = session.images,
              .imports = imports_,
              .inner = session.workplace.inner,
              .network = session.workplace.network,
              .sink = session.sink,
              .warn_of_isolation = session.warn("LessIsolation"),
              .warn_of_packs = session.warn("CompilerPack"),
              .remove_later = [&session](std::string path) { session.workplace.remove_later(std::move(path)); }}) {
  targets_.reserve(definitions.targets.size());  // they are pointed at
  for (const auto& target : definitions.targets) {
    if (target) add_target(*target);
  }
  if (!session.request.keep_going) return;
  needed_by_.resize(definitions.graph.nodes.size());
  for (auto& target : targets_) {
    for (const auto id : target.plan.order) needed_by_[id].push_back(&target);
  }
}

void Execution::add_target(Definition& definition) {
  const auto& plan = definitions_.plan_of(definition);
  const auto excerpt = [this, &definition](graph::NodeId id) { return definition.excerpt(definitions_.graph, id); };
  targets_.push_back({.definition = definition,
                      .plan = plan,
                      .exporting = {.session = session_.request,
                                    .request = definition.request,
                                    .graph = definitions_.graph,
                                    .plan = plan,
                                    .dockerfile = definition.front.dockerfile,
                                    .lowered = definition.lowered,
                                    .store = session_.place.store,
                                    .directory = session_.place.directory,
                                    .images = session_.images,
                                    .inner = session_.workplace.inner,
                                    .steps = steps_,
                                    .sink = session_.sink,
                                    .result = definition.result,
                                    .number = definition.number,
                                    .label = definition.label,
                                    .first_output = outputs_,
                                    .first_cache = caches_,
                                    .excerpt = excerpt,
                                    .epoch = definition.epoch}});
  outputs_ += definition.request.outputs.size();
  caches_ += definition.request.cache_to.size();
}

// False when all that need it have failed.
bool Execution::is_wanted(graph::NodeId id) {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(needed_by_[id], [](const Target* target) { return target->failure == nullptr; });
}

void Execution::fail(Target& target, const std::exception_ptr& failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = failure;
  if (!target.failure) target.failure = failure;
}

void Execution::run_step(graph::NodeId id, const std::stop_token& stop) {
  if (!session_.request.keep_going) return steps_.run(id, stop);
  // What a step is an input of is needed by no more targets than the step itself: where it failed, nothing follows.
  if (!is_wanted(id)) return;
  try {
    steps_.run(id, stop);
  } catch (const Error&) {
    if (stop.stop_requested()) throw;
    for (auto* target : needed_by_[id]) fail(*target, std::current_exception());
  }
}

void Execution::run_steps() {
  if (definitions_.plan.order.empty()) return;
  run_plan(
      definitions_.plan, limits_of(session_.request), [&](graph::NodeId id) { return steps_.class_of(id); },
      [&](graph::NodeId id, const std::stop_token& stop) { run_step(id, stop); }, session_.stop);
}

void Execution::deliver(Target& target) {
  if (target.failure || target.delivered) return;
  try {
    export_images(target.exporting, session_.stop);
    crash_point("image-written");
    export_caches(target.exporting, session_.stop);
    target.delivered = true;
    advise_native_stages(target.exporting, session_.stop);
  } catch (const Error&) {
    if (!session_.request.keep_going || session_.stop.stop_requested()) throw;
    fail(target, std::current_exception());
  }
}

// False when a promise of an imported cache was broken: all is to be looked up again, without it.
bool Execution::run_and_export() {
  failure_ = nullptr;
  for (auto& target : targets_) {
    target.failure = nullptr;
    if (target.delivered) continue;
    target.definition.result.descriptor = {};
    target.definition.result.images.clear();
  }
  try {
    run_steps();
    for (auto& target : targets_) deliver(target);
  } catch (const PromiseBroken& broken) {
    imports_.drop(broken.result);
    steps_.start_over();
    return false;
  }
  if (failure_) std::rethrow_exception(failure_);
  return true;
}

void Execution::run() {
  session_.sink.planned(static_cast<std::size_t>(std::ranges::count_if(
      definitions_.plan.order, [&](graph::NodeId id) { return is_told_of(definitions_.graph.nodes[id]); })));
  bool again = false;
  const auto attempt = [&] {
    if (std::exchange(again, true)) steps_.start_over();
    while (!run_and_export()) {
    }
  };
  with_repairs(session_.place.store, session_.warn("DamagedStore"), attempt,
               [&] { return steps_.parts().layers.forget_lost(); });
}

void Execution::note_inputs(const Target& target) {
  try {
    const SeenBuild seen{.request = target.definition.request,
                         .target = target.definition.number,
                         .dockerfile = target.definition.inputs.dockerfile_name,
                         .plan = target.plan,
                         .table = steps_.parts().table,
                         .reads = steps_.parts().reads,
                         .store = session_.place.store};
    if (session_.request.explain) {
      target.definition.result.explanations = explain_steps(seen);
    } else {
      remember_steps(seen);
    }
  } catch (const Error&) {
    // The next build knows less.
  }
}

void Execution::end() {
  session_.workplace.network.end();
  std::set<graph::NodeId> counted;
  for (const auto& target : targets_) {
    note_inputs(target);
    auto& result = target.definition.result;
    const auto counts = steps_.count(target.plan, counted);
    result.steps_run = counts.run;
    result.steps_cached = counts.cached;
    result.emulation = counts.emulation;
    for (const auto& [node, kept] : steps_.parts().maker.failed()) {
      const bool is_own = std::ranges::find(target.plan.order, node) != target.plan.order.end();
      if (is_own && result.failed_step.empty()) result.failed_step = kept;
    }
    if (!target.failure) continue;
    try {
      std::rethrow_exception(target.failure);
    } catch (const Error& error) {
      result.error = error;
    }
  }
}

}  // namespace mbuild::executor
