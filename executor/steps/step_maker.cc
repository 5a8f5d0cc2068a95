#include "executor/steps/step_maker.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/error.h"
#include "emu/emulator.h"
#include "executor/steps/failed_step.h"
#include "executor/steps/lookup.h"
#include "executor/steps/step_log.h"

namespace mbuild::executor {
namespace {

std::string quoted_log(const std::string& name, const std::string& tail) {
  if (tail.empty()) return "";
  return fmt::format("------\n > {}:\n{}{}------\n", name, tail, tail.ends_with('\n') ? "" : "\n");
}

// Whatever emulates is named where a step fails: the fault may be the emulator's.
void name_emulator(Error& error, const RunTask& task, const std::string& emulator) {
  if (error.exit_class != ExitClass::step_failed || emulator.empty()) return;
  error.advice += fmt::format("{}Its programs for {} were run by: {}.", error.advice.empty() ? "" : "\n",
                              platforms::to_string(*task.platform), emulator);
}

std::int64_t milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
}

class NoSink final : public StepSink {
 public:
  void log(int, std::string_view) override {}
  void usage(const ResourceUsage&) override {}
};

std::string lines_of(const std::map<std::string, std::string>& differences) {
  constexpr std::size_t k_most = 20;
  std::string out;
  std::size_t shown = 0;
  for (const auto& [path, text] : differences) {
    if (++shown > k_most) return out + fmt::format("and {} more\n", differences.size() - k_most);
    out += fmt::format("{}: {}\n", clean_line(path), clean_line(text));
  }
  return out;
}

std::string names_of(const std::map<std::string, std::string>& differences) {
  constexpr std::size_t k_most = 100;
  std::string out;
  std::size_t named = 0;
  for (const auto& [path, text] : differences) {
    if (++named > k_most) return out + fmt::format(" and {} more", differences.size() - k_most);
    out += " " + clean_line(path);
  }
  return out;
}

// Whether the newest file of a layer, which was made just now, has the time at which it was made. `took`: milliseconds.
bool came_by_itself(const cache::Layer& made, std::int64_t took) {
  constexpr std::int64_t k_tolerance = 2;
  return made.newest_mtime >= unix_seconds() - took / 1000 - k_tolerance;
}

}  // namespace

void StepMaker::make(graph::NodeId id, const std::stop_token& stop) {
  const auto started = std::chrono::steady_clock::now();
  const auto& node = parts_.table.graph.nodes[id];
  const bool is_run = std::holds_alternative<graph::ExecOp>(node.op);
  const std::string layer_id = random_hex(16);
  std::string emulator;
  auto made = is_run ? run(id, layer_id, emulator, stop) : apply(id, layer_id, stop);
  keep(id, std::move(made), milliseconds_since(started), emulator);
}

// What another worker made stays there; a layer that equals it may be here. Its times are not seen from here, but for
// the newest: where that was set, it has to be the same.
void StepMaker::keep(graph::NodeId id, cache::Layer made, std::int64_t took, const std::string& emulator) {
  const auto& node = parts_.table.graph.nodes[id];
  const bool is_run = std::holds_alternative<graph::ExecOp>(node.op);
  std::shared_ptr<const HeldLayer> held;
  if (parts_.workers.is_local(id)) {
    made = parts_.layers.keep(std::move(made));
  } else if (const auto* same = parts_.layers.find_by_result(made.result_digest);
             same != nullptr && (same->newest_mtime == made.newest_mtime || came_by_itself(made, took))) {
    made = *same;
  } else {
    held = parts_.workers.held(made);
  }
  // The layer of a file step is as old as the newest file in it, so that equal contexts make equal images.
  const std::int64_t created = is_run ? unix_seconds() : made.newest_mtime;
  parts_.store.add_record({.content_key = parts_.table.traces[id].key,
                           .layers = {made.id},
                           .created = created,
                           .duration_ms = took,
                           .emulator = emulator,
                           .name = parts_.table.graph.info[id].front().instruction});
  crash_point("record-row");
  if (is_run) parts_.store.remember_duration(planner::duration_key(node), took);
  parts_.table.set_result(id, as_result(made, parts_.table.graph, id, created, std::move(held)));
}

cache::Layer StepMaker::apply(graph::NodeId id, const std::string& layer_id, const std::stop_token& stop) {
  const auto& op = std::get<graph::FileOp>(parts_.table.graph.nodes[id].op);
  auto& trace = parts_.table.traces[id];
  auto task = parts_.keys.files_task(id, stop);
  task.layer = layer_id;
  task.list_contents = true;
  if (op.actions.size() == 1) task.older = parts_.store.latest_layer_of(parts_.plan.definition_keys[id]).value_or("");
  task.probe = trace.key.empty();
  auto made = parts_.workers.of(id).apply(task, stop);
  const bool anew = !made.copied_anew.empty();
  for (auto& part : made.copied_anew) {
    const auto before = parts_.reads.selected(id, part.action);
    trace.copied[part.action] = Contexts::copied(*before, std::move(part.selection));
  }
  // The keys are those of what is in the layer.
  if (anew) trace.inputs = parts_.reads.inputs(id);
  if (anew && made.probe.destination.empty()) {
    trace.key = parts_.keys.content_key(id, stop);
  } else if (anew || trace.key.empty()) {
    trace.key = parts_.keys.key_of_files(id, made.probe);
  }
  made.layer.result_digest = file_result(made.layer.result_digest, op, trace.key);
  return std::move(made.layer);
}

cache::Layer StepMaker::run(graph::NodeId id, const std::string& layer_id, std::string& emulator,
                            const std::stop_token& stop) {
  auto& trace = parts_.table.traces[id];
  auto task = parts_.tasks.begin(id, layer_id);
  task.keep_failed = parts_.workers.is_local(id);
  emulator = parts_.workers.of(id).prepare(task);
  parts_.tasks.complete(task, id, stop);
  if (with_compilers(parts_.session.acceleration) && task.platform && is_foreign(*task.platform)) {
    StepLog log(id, parts_.sink);
    task.compilers = parts_.packs.find(id, task.root, log, stop);
    if (!task.sibling) task.sibling = task.compilers;  // it has programs of the same packages
  }
  if (!trace.copied.empty()) {  // the keys are those of what is mounted
    trace.inputs = parts_.reads.inputs(id);
    trace.key = parts_.keys.key_of_run(id, stop);
  }
  try {
    const auto started = std::chrono::steady_clock::now();
    auto result = run_task(id, task, stop);
    if (!result.emulator.empty()) note_emulation(id, result, milliseconds_since(started));
    emulator = result.emulator;
    if (result.programs_native > 0) {
      emulator = emu::with_native_use(emulator, task.compilers ? emu::NativeUse::compilers : emu::NativeUse::programs);
    }
    if (parts_.session.acceleration == Acceleration::verify && !result.emulator.empty()) verify(id, task, result, stop);
    return std::move(result.layer);
  } catch (Error& error) {
    name_emulator(error, task, emulator);
    throw;
  }
}

RunResult StepMaker::run_task(graph::NodeId id, const RunTask& task, const std::stop_token& stop) {
  StepLog log(id, parts_.sink, parts_.session.log_limits);
  RunResult result;
  try {
    result = parts_.workers.of(id).run(task, log, stop);
    tell_isolation(result);
    if (result.exit_code == 0) return result;
    throw run_failure(std::get<graph::ExecOp>(parts_.table.graph.nodes[id].op), result, task.env);
  } catch (Error& error) {
    if (task.keep_failed && error.exit_class == ExitClass::step_failed) keep_failed(id, task, result, error);
    if (error.excerpt.empty()) error.excerpt = quoted_log(parts_.table.graph.info[id].front().name, log.tail());
    throw;
  }
}

// For who wants to look into it. Where that can't be, it is no more than it was: a step that failed.
void StepMaker::keep_failed(graph::NodeId id, const RunTask& task, const RunResult& result, const Error& error) {
  const auto& graph = parts_.table.graph;
  const auto& info = graph.info[id].front();
  try {
    auto step = failed_step_of(std::get<graph::ExecOp>(graph.nodes[id].op), task);
    step.id = random_hex(6);
    if (!result.layer.id.empty()) step.written = parts_.layers.add(result.layer).id;
    step.name = info.name;
    step.emulator = result.emulator;
    step.failure = error.message;
    step.line = info.first_line;
    step.failed = unix_milliseconds();
    keep_failed_step(step, parts_.store, parts_.remove_later);
    const std::lock_guard lock(failed_mutex_);
    failed_.emplace_back(id, step.id);
  } catch (const Error&) {
    // The disk is full.
  }
}

std::vector<std::pair<graph::NodeId, std::string>> StepMaker::failed() const {
  const std::lock_guard lock(failed_mutex_);
  return failed_;
}

void StepMaker::note_emulation(graph::NodeId id, const RunResult& result, std::int64_t took) {
  auto& use = parts_.table.traces[id].emulation;
  ++use.steps;
  use.programs += result.programs_started;
  use.native += result.programs_native;
  use.milliseconds += static_cast<std::uint64_t>(took);
}

// The step once more with nothing but the emulator. Its layer is not what the step gave: it is left to be collected.
LayerListing StepMaker::list_emulated(graph::NodeId id, RunTask task, const std::stop_token& stop) {
  task.sibling.reset();
  task.compilers.reset();
  task.keep_failed = false;
  task.layer = random_hex(16);
  NoSink silent;
  auto& worker = parts_.workers.of(id);
  const auto result = worker.run(task, silent, stop);
  if (result.exit_code != 0) {
    throw Error(ExitClass::step_failed,
                fmt::format("without native programs the step ends with status {}", result.exit_code));
  }
  const auto& layer = parts_.workers.is_local(id) ? parts_.layers.keep(result.layer) : result.layer;
  return list_layer(worker, layer.id, parts_.work, stop);
}

// What differs between two runs with the emulator alone is the step's own doing (times, random names). The second one
// begins later than a clock's second, which steps write down.
void StepMaker::verify(graph::NodeId id, const RunTask& task, RunResult& result, const std::stop_token& stop) {
  StepLog log(id, parts_.sink);
  log.log(2, fmt::format("accel: {} of {} programs ran natively\n", result.programs_native, result.programs_started));
  if (result.programs_native == 0) return;
  if (parts_.workers.is_local(id)) result.layer = parts_.layers.keep(std::move(result.layer));
  const auto with = list_layer(parts_.workers.of(id), result.layer.id, parts_.work, stop);
  const auto later = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const auto without = list_emulated(id, task, stop);
  auto wrong = differences(with, without);
  if (wrong.empty()) return;
  std::this_thread::sleep_until(later);
  const auto own = differences(without, list_emulated(id, task, stop));
  const auto own_doing = [&](const auto& one) { return own.contains(one.first); };
  auto left_out = wrong;
  std::erase_if(left_out, std::not_fn(own_doing));
  if (!left_out.empty()) log.log(2, "accel: left out, as emulated runs differ too:" + names_of(left_out) + "\n");
  std::erase_if(wrong, own_doing);
  if (wrong.empty()) return;
  Error error(ExitClass::step_failed,
              fmt::format("native programs gave another result than emulated ones: {} paths differ", wrong.size()));
  error.excerpt = "with native programs; without:\n" + lines_of(wrong);
  throw std::move(error).with_advice("--accel=off builds without them. Please report it with the Dockerfile.");
}

// Once a build: what its steps had to do without.
void StepMaker::tell_isolation(const RunResult& result) {
  if (!result.host_proc && !result.shared_ids) return;
  if (isolation_told_.exchange(true)) return;
  std::string what;
  if (result.host_proc) what = "a /proc of its own: the processes of this container or host are seen";
  if (result.shared_ids) {
    what += std::string(what.empty() ? "" : ", and without ") +
            "a user namespace of its own: steps can look into each other's processes";
  }
  parts_.warn_of_isolation("steps run without " + what + " (--allow-less-isolation)");
}

}  // namespace mbuild::executor
