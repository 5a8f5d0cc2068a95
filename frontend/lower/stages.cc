#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "frontend/dockerfile/mount.h"
#include "frontend/dockerfile/table.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"
#include "frontend/lower/text.h"
#include "oci/reference.h"

// Stages and what they depend on. Names are resolved as BuildKit does: FROM sees the stages above it only and compares
// case; COPY --from and mounts see all stages, of two with one name the last, in any case. That a stage is used before
// it is made is found when it is dispatched, so that it does not matter in stages that the target does not need.
// Everything here walks with explicit stacks: a file may hold a chain of 100,000 stages.
namespace mbuild::frontend::lowering {
namespace {

struct FromWord {
  std::string text;
  std::set<std::string> undefined;
};

FromWord expand_from_word(Lowering& lowering, const dockerfile::Instruction& from, const std::string& word) {
  auto expansion =
      dockerfile::expand(word, lookup_in(lowering.global_args), {.escape = lowering.shared.request.dockerfile.escape});
  check_undefined_in_from(lowering, from, expansion.undefined);
  return {std::move(expansion.text), std::move(expansion.undefined)};
}

platforms::Platform stage_platform(Lowering& lowering, const dockerfile::Instruction& instruction) {
  const auto& from = std::get<dockerfile::FromInstruction>(instruction.body);
  const FromWord word = expand_from_word(lowering, instruction, from.platform);
  check_platform_flag(lowering, instruction, word.text);
  std::string suggestion;
  for (const std::string& name : word.undefined) {
    if (suggestion.empty()) suggestion = dockerfile::suggest(name, lowering.global_args.names());
  }
  if (word.text.empty()) throw usage_error("empty platform value from expression " + from.platform + suggestion);
  try {
    return platforms::parse_platform(word.text);
  } catch (Error& error) {
    if (word.text == from.platform) throw;
    throw std::move(error).with_context("failed to parse platform " + from.platform + suggestion);
  }
}

void find_base(Lowering& lowering, Stage& stage) {
  if (!stage.name.empty()) {
    stage.context = find_context(lowering.shared, stage.name, stage.platform.value_or(lowering.target_platform));
    stage.replaced = stage.context != nullptr;
  }
  if (stage.replaced) {
    stage.base_kind = BaseKind::context;
  } else if (const auto base = lowering.by_name.find(stage.base_text); base != lowering.by_name.end()) {
    stage.base_kind = BaseKind::stage;
    stage.base = base->second;
  }
}

bool ignores_cache(const Request& request, const Stage& stage) {
  return request.no_cache || std::ranges::any_of(request.no_cache_filter, [&](const std::string& name) {
           return !stage.name.empty() && iequals(name, stage.name);
         });
}

std::string base_reference(const Stage& stage) {
  try {
    return to_string(with_default_tag(parse_reference(stage.base_text)));
  } catch (Error& error) {
    throw std::move(error).with_context("failed to parse stage name " + go_quote(stage.base_text));
  }
}

// Also of a stage that nothing needs, the name has to be one.
void read_from(Lowering& lowering, Stage& stage) {
  const dockerfile::Instruction& instruction = stage.source->from;
  const auto& from = std::get<dockerfile::FromInstruction>(instruction.body);
  stage.base_text = expand_from_word(lowering, instruction, from.base).text;
  if (stage.base_text.empty()) throw usage_error(fmt::format("base name ({}) should not be blank", from.base));
  if (!from.platform.empty()) stage.platform = stage_platform(lowering, instruction);
  find_base(lowering, stage);
  if (stage.base_kind != BaseKind::stage && !stage.replaced && stage.base_text != "scratch") base_reference(stage);
}

// A stage whose FROM is wrong is there too, so that others can name it.
void add_stage(Lowering& lowering, std::size_t index) {
  const dockerfile::Stage& source = lowering.shared.request.dockerfile.stages[index];
  Stage& stage = lowering.stages.emplace_back();
  stage.source = &source;
  stage.name = std::get<dockerfile::FromInstruction>(source.from.body).name;
  stage.label = stage.name.empty() ? fmt::format("stage-{}", index) : stage.name;
  stage.range = source.from.range;
  try {
    read_from(lowering, stage);
  } catch (Error& error) {
    lowering.shared.problems.add(std::move(error), stage.range);
  }
  stage.ignore_cache = ignores_cache(lowering.shared.request, stage);
  if (stage.base_kind != BaseKind::stage && stage.base_text != "scratch") stage.step_count = 1;
  if (!stage.name.empty()) lowering.by_name.insert_or_assign(stage.name, static_cast<StageId>(index));
}

StageId stage_of_reference(Lowering& lowering, const std::string& reference, dockerfile::Range range) {
  if (const auto known = lowering.by_name.find(to_lower(reference)); known != lowering.by_name.end()) {
    return known->second;
  }
  if (const auto known = lowering.by_reference.find(reference); known != lowering.by_reference.end()) {
    return known->second;
  }
  const auto id = static_cast<StageId>(lowering.stages.size());
  Stage& stage = lowering.stages.emplace_back();
  stage.base_text = stage.label = reference;
  stage.range = range;
  lowering.by_reference.emplace(reference, id);
  return id;
}

std::optional<long> parse_index(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  long value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

StageId copy_source(Lowering& lowering, const std::string& from, dockerfile::Range range) {
  const dockerfile::Dockerfile& file = lowering.shared.request.dockerfile;
  const auto nothing = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
  if (dockerfile::expand(from, nothing, {.escape = file.escape}).text != from) {
    throw usage_error(
        "variable expansion is not supported for --from, define a new stage with FROM using ARG from "
        "global scope as a workaround");
  }
  if (const auto index = parse_index(from)) {
    if (*index < 0 || static_cast<std::size_t>(*index) >= file.stages.size()) {
      throw usage_error(fmt::format("invalid stage index {}", *index));
    }
    return static_cast<StageId>(*index);
  }
  return stage_of_reference(lowering, from, range);
}

// The step of an instruction, with the stages that it reads. `range` is where errors are shown.
Step make_step(Lowering& lowering, const dockerfile::Instruction& instruction, dockerfile::Range range) {
  Step step;
  step.instruction = &instruction;
  if (const auto* copy = std::get_if<dockerfile::CopyInstruction>(&instruction.body)) {
    if (!copy->from.empty()) step.sources.push_back(copy_source(lowering, copy->from, range));
  } else if (const auto* run = std::get_if<dockerfile::RunInstruction>(&instruction.body)) {
    for (const std::string& mount : run->mounts) {
      const std::string from = dockerfile::mount_from(mount);
      step.sources.push_back(from.empty() ? k_no_stage : stage_of_reference(lowering, from, range));
    }
  }
  return step;
}

// True when the step reads another stage.
bool note_sources(Stage& stage, const Step& step) {
  bool any = false;
  for (const StageId source : step.sources) {
    if (source == k_no_stage) continue;
    stage.sources.emplace_back(source, step.instruction);
    any = true;
  }
  return any;
}

void make_steps(Lowering& lowering, StageId id) {
  const dockerfile::Stage& source = *lowering.stages[id].source;
  for (const dockerfile::Instruction& instruction : source.instructions) {
    try {
      Step step = make_step(lowering, instruction, instruction.range);
      Stage& stage = lowering.stages[id];
      note_sources(stage, step);
      if (is_counted(instruction)) ++stage.step_count;
      stage.steps.push_back(std::move(step));
    } catch (Error& error) {
      lowering.shared.problems.add(std::move(error), instruction.range);
    }
  }
}

// Depth-first over COPY --from and mounts: an edge to a stage that is still open closes a cycle.
void check_cycles_from(Lowering& lowering, StageId start, std::vector<char>& colour) {
  enum : char { fresh, open, done };
  std::vector<std::pair<StageId, std::size_t>> path{{start, 0}};
  colour[start] = open;
  while (!path.empty()) {
    auto& [id, next] = path.back();
    const Stage& stage = lowering.stages[id];
    if (next == stage.sources.size()) {
      colour[id] = done;
      path.pop_back();
      continue;
    }
    const auto [source, instruction] = stage.sources[next++];
    if (colour[source] == open) {
      throw with_place(lowering, usage_error("circular dependency detected on stage: " + lowering.stages[start].label),
                       instruction->range);
    }
    if (colour[source] == fresh) {
      colour[source] = open;
      path.emplace_back(source, 0);
    }
  }
}

void check_cycles(Lowering& lowering) {
  std::vector<char> colour(lowering.stages.size(), 0);
  for (StageId id = 0; id < lowering.stages.size(); ++id) {
    if (colour[id] == 0) check_cycles_from(lowering, id, colour);
  }
}

void find_target(Lowering& lowering, std::size_t stages) {
  const std::string& name = lowering.shared.request.target;
  lowering.target = static_cast<StageId>(stages - 1);
  if (name.empty()) return;
  const auto found = lowering.by_name.find(to_lower(name));
  if (found == lowering.by_name.end()) {
    std::vector<std::string> names;
    for (const Stage& stage : lowering.stages) names.push_back(stage.label);
    throw usage_error(
        fmt::format("target stage {} could not be found{}", go_quote(name), dockerfile::suggest(name, names)));
  }
  lowering.target = found->second;
}

bool is_image(const NamedContext& context) {
  return context.kind == ContextKind::image || context.kind == ContextKind::oci_layout;
}

void locate_base(Lowering& lowering, Stage& stage) {
  if (stage.base_kind == BaseKind::stage) return;
  if (!stage.platform || (!stage.replaced && stage.base_text == "scratch")) stage.platform = lowering.target_platform;
  if (!stage.replaced && stage.base_text != "scratch") {
    const std::string reference = base_reference(stage);
    stage.context = find_context(lowering.shared, reference, *stage.platform);
    stage.base_kind = stage.context != nullptr ? BaseKind::context : BaseKind::image;
    if (stage.context == nullptr) stage.query = ImageQuery{reference, *stage.platform};
  }
  if (stage.context != nullptr && stage.context->kind == ContextKind::target) {
    stage.linked = &lowering.shared.request.linked(stage.context->value, *stage.platform);
  }
  if (stage.context != nullptr && is_image(*stage.context)) {
    stage.query = ImageQuery{stage.context->value, *stage.platform};
  }
}

// What the base wants done first: ONBUILD instructions of a base stage, or those in an image's configuration.
std::vector<std::string> triggers_of_base(const Lowering& lowering, const Stage& stage) {
  const Stage& origin = stage.base_kind == BaseKind::stage ? lowering.stages[stage.base] : stage;
  if (&origin == &stage || origin.replaced) {
    if (origin.linked != nullptr) return origin.linked->config.on_build;
    return origin.image != nullptr ? origin.image->config.on_build : std::vector<std::string>();
  }
  std::vector<std::string> triggers;
  for (const dockerfile::Instruction& instruction : origin.source->instructions) {
    const auto* on_build = std::get_if<dockerfile::OnBuildInstruction>(&instruction.body);
    if (on_build != nullptr) triggers.push_back(on_build->text);
  }
  return triggers;
}

bool fire(Lowering& lowering, StageId id, const std::vector<std::string>& triggers) {
  bool new_sources = false;
  std::vector<Step> steps;
  const dockerfile::Range range = lowering.stages[id].range;
  for (const std::string& text : triggers) {
    try {
      lowering.triggers.push_back(dockerfile::parse_trigger(text));
      lowering.triggers.back().range = range;
      steps.push_back(make_step(lowering, lowering.triggers.back(), range));
    } catch (Error& error) {
      throw with_place(lowering, std::move(error).with_context("ONBUILD trigger " + go_quote(text)), range);
    }
    steps.back().on_build = true;
    Stage& stage = lowering.stages[id];
    if (is_counted(lowering.triggers.back())) ++stage.step_count;
    if (note_sources(stage, steps.back())) new_sources = true;
  }
  std::vector<Step>& own = lowering.stages[id].steps;
  own.insert(own.begin(), std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end()));
  return new_sources;
}

}  // namespace

void make_stages(Lowering& lowering) {
  const dockerfile::Dockerfile& file = lowering.shared.request.dockerfile;
  if (file.stages.empty()) throw usage_error("dockerfile contains no stages to build");
  for (std::size_t i = 0; i < file.stages.size(); ++i) add_stage(lowering, i);
  find_target(lowering, file.stages.size());
  for (StageId id = 0; id < file.stages.size(); ++id) {
    if (!lowering.stages[id].replaced) make_steps(lowering, id);
  }
  check_cycles(lowering);
  if (lowering.stages.size() == 1) lowering.stages.front().label.clear();
}

void mark_reachable(Lowering& lowering, bool all) {
  for (Stage& stage : lowering.stages) stage.reachable = false;
  std::vector<StageId> pending{lowering.target};
  if (all) {
    for (StageId id = 0; id < lowering.stages.size(); ++id) pending.push_back(id);
  }
  while (!pending.empty()) {
    Stage& stage = lowering.stages[pending.back()];
    pending.pop_back();
    if (stage.reachable) continue;
    stage.reachable = true;
    if (stage.base != k_no_stage) pending.push_back(stage.base);
    for (const auto& source : stage.sources) pending.push_back(source.first);
  }
}

std::vector<ImageQuery> locate_bases(Lowering& lowering) {
  std::vector<ImageQuery> queries;
  for (Stage& stage : lowering.stages) {
    if (!stage.reachable || stage.located) continue;
    stage.located = true;
    try {
      locate_base(lowering, stage);
    } catch (Error& error) {
      lowering.shared.problems.add(std::move(error), stage.range);
    }
    if (stage.query) queries.push_back(*stage.query);
  }
  return queries;
}

bool fire_triggers(Lowering& lowering) {
  const Shared& shared = lowering.shared;
  bool new_sources = false;
  for (StageId id = 0; id < lowering.stages.size(); ++id) {
    Stage& stage = lowering.stages[id];
    if (!stage.reachable || stage.triggers_fired) continue;
    stage.triggers_fired = true;
    if (stage.query) {
      const auto image = shared.images.find(*stage.query);
      stage.image = image == shared.images.end() ? nullptr : &image->second;
      stage.unavailable = stage.image == nullptr;
    }
    if (stage.source == nullptr || stage.replaced) continue;
    if (fire(lowering, id, triggers_of_base(lowering, stage))) new_sources = true;
  }
  return new_sources;
}

}  // namespace mbuild::frontend::lowering
