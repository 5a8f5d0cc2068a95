#include "frontend/lower/outline.h"

#include <algorithm>
#include <map>
#include <set>

// An argument is in the outline when the target, or a stage that it needs, declares it or uses it in FROM, or when the
// default of such an argument uses it.
namespace mbuild::frontend::lowering {
namespace {

std::string description_of(const dockerfile::Instruction& instruction, const std::string& name) {
  if (name.empty()) return "";
  for (const std::string& comment : instruction.comments) {
    if (comment.starts_with(name + " ")) return comment.substr(name.size() + 1);
  }
  return "";
}

// The set variables that a word uses.
std::set<std::string> used_in(const Lowering& lowering, const std::string& word) {
  std::set<std::string> used;
  const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    const std::string* value = lowering.global_args.find(name);
    if (value == nullptr) return std::nullopt;
    used.emplace(name);
    return *value;
  };
  try {
    dockerfile::expand(word, lookup, {.escape = lowering.shared.request.dockerfile.escape});
  } catch (const Error&) {
    // What cannot be expanded uses what was found up to there.
  }
  return used;
}

struct GlobalArgument {
  OutlineItem item;
  std::set<std::string> uses;
};

class Collector {
 public:
  explicit Collector(const Lowering& lowering) : lowering_(lowering) {
    for (const auto& instruction : lowering.shared.request.dockerfile.global_args) add_global(instruction);
  }

  Outline collect() {
    Outline outline;
    const Stage& target = lowering_.stages[lowering_.target];
    outline.name = target.name;
    outline.description = description_of(target.source->from, target.name);
    std::set<StageId> seen;
    std::vector<StageId> pending{lowering_.target};
    while (!pending.empty()) {
      const StageId id = pending.back();
      pending.pop_back();
      if (!seen.insert(id).second) continue;
      const Stage& stage = lowering_.stages[id];
      add_stage(stage, outline);
      if (stage.base != k_no_stage) pending.push_back(stage.base);
      for (const auto& source : stage.sources) pending.push_back(source.first);
    }
    for (auto* list : {&outline.arguments, &outline.secrets, &outline.ssh}) {
      std::ranges::stable_sort(*list, {}, [](const OutlineItem& item) { return item.range.first; });
    }
    return outline;
  }

 private:
  void add_global(const dockerfile::Instruction& instruction) {
    for (const auto& [name, value] : std::get<dockerfile::ArgInstruction>(instruction.body).args) {
      GlobalArgument& argument = globals_[name];
      const std::string* expanded = lowering_.global_args.find(name);
      argument.item = {name, expanded != nullptr ? *expanded : "", description_of(instruction, name), false,
                       instruction.range};
      if (value && !lowering_.build_args.contains(name)) argument.uses.merge(used_in(lowering_, *value));
      argument.uses.erase(name);
    }
  }

  void add_stage(const Stage& stage, Outline& outline) {
    for (const OutlineItem& item : stage.outline.arguments) take(item, arguments_, outline.arguments);
    for (const OutlineItem& item : stage.outline.secrets) take(item, secrets_, outline.secrets);
    for (const OutlineItem& item : stage.outline.ssh) take(item, ssh_, outline.ssh);
    for (const std::string& name : stage.outline.inherited) add_used(name, outline);
    if (stage.source == nullptr) return;
    const auto& from = std::get<dockerfile::FromInstruction>(stage.source->from.body);
    for (const std::string& word : {from.base, from.platform}) {
      for (const std::string& name : used_in(lowering_, word)) add_used(name, outline);
    }
  }

  void add_used(const std::string& name, Outline& outline) {
    const auto found = globals_.find(name);
    if (found == globals_.end() || !take(found->second.item, arguments_, outline.arguments)) return;
    for (const std::string& other : found->second.uses) add_used(other, outline);
  }

  // The first one of a name counts.
  static bool take(const OutlineItem& item, std::set<std::string>& seen, std::vector<OutlineItem>& list) {
    if (!seen.insert(item.name).second) return false;
    list.push_back(item);
    return true;
  }

  const Lowering& lowering_;
  std::map<std::string, GlobalArgument> globals_;
  std::set<std::string> arguments_, secrets_, ssh_;
};

}  // namespace

void note_argument(Lowering& lowering, Stage& stage, const Step& step, const std::string& name,
                   const std::string& value, bool inherited) {
  if (!lowering.shared.outlining) return;
  if (inherited) {
    stage.outline.inherited.push_back(name);
    return;
  }
  auto& arguments = stage.outline.arguments;
  std::erase_if(arguments, [&](const OutlineItem& item) { return item.name == name; });  // the last one counts
  arguments.push_back({name, value, description_of(*step.instruction, name), false, step.instruction->range});
}

void note_mount(Lowering& lowering, Stage& stage, const Step& step, const graph::Mount& mount) {
  if (!lowering.shared.outlining) return;
  const OutlineItem item{mount.id, "", "", mount.required, step.instruction->range};
  if (mount.kind == graph::MountKind::secret) stage.outline.secrets.push_back(item);
  if (mount.kind == graph::MountKind::ssh) stage.outline.ssh.push_back(item);
}

Outline make_outline(const Lowering& lowering) { return Collector(lowering).collect(); }

}  // namespace mbuild::frontend::lowering

namespace mbuild::frontend {

std::vector<Target> targets(const dockerfile::Dockerfile& dockerfile) {
  std::vector<Target> list;
  for (const dockerfile::Stage& stage : dockerfile.stages) {
    const auto& from = std::get<dockerfile::FromInstruction>(stage.from.body);
    list.push_back({from.name, lowering::description_of(stage.from, from.name), from.base, from.platform, false,
                    stage.from.range});
  }
  if (!list.empty()) list.back().is_default = true;
  return list;
}

}  // namespace mbuild::frontend
