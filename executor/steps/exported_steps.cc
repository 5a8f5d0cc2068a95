#include "executor/steps/exported_steps.h"

#include <utility>

namespace mbuild::executor {

std::vector<ExportedStep> exported_steps(const planner::Plan& plan, const StepTable& table, cache::Store& store) {
  std::vector<ExportedStep> out;
  for (const auto id : plan.order) {
    const auto& trace = table.traces[id];
    if (!trace.kept) continue;
    const auto& layer = table.results[id].at(0).layers.back();
    image::CachedStep step{.definition = plan.definition_keys[id],
                           .inputs = trace.inputs,
                           .key = trace.key,
                           .result = layer->result_digest,
                           .created = layer->created,
                           .emulator = {},
                           .name = table.graph.info[id].front().instruction};
    if (const auto record = store.find_record(trace.key)) {
      step.duration_ms = record->duration_ms;
      step.emulator = record->emulator;
    }
    out.push_back({std::move(step), layer});
  }
  return out;
}

}  // namespace mbuild::executor
