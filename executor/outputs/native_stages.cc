#include "executor/outputs/native_stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "base/strings.h"
#include "emu/portable.h"
#include "executor/steps/layer_listing.h"

namespace mbuild::executor {
namespace {

constexpr std::string_view k_rule = "EmulatedStage";
constexpr std::uint64_t k_least_milliseconds = 3000;
constexpr std::uint64_t k_most_bytes = std::uint64_t{256} << 20;  // of a layer that is looked into

using frontend::dockerfile::FromInstruction;

struct Stage {
  const frontend::dockerfile::Stage* source = nullptr;
  std::string label;
  std::set<graph::NodeId> nodes;                    // of all platforms
  std::set<std::string> platforms;                  // that were emulated
  std::uint64_t milliseconds = 0;                   // in which they were
  const platforms::Descriptor* platform = nullptr;  // one of them
};

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// What the platform is asked by, in an instruction's text.
bool asks_for_platform(const frontend::dockerfile::Instruction& instruction) {
  constexpr std::array<std::string_view, 6> k_words = {"TARGET", "uname", "rchitecture", "(arch)", "`arch`", "--arch"};
  return std::ranges::any_of(k_words, [&](std::string_view word) { return instruction.text.contains(word); });
}

class Advice {
 public:
  Advice(const ExportEnvironment& environment, std::stop_token stop)
      : environment_(environment), table_(environment.steps.parts().table), stop_(std::move(stop)) {}

  void run() {
    for (const auto& stage : emulated_stages()) {
      if (stage.milliseconds >= k_least_milliseconds && may_be_moved(stage) && gives_portable_files(stage)) tell(stage);
    }
  }

 private:
  std::vector<Stage> emulated_stages() const {
    std::vector<Stage> out;
    const auto& sources = environment_.dockerfile.stages;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto& name = std::get<FromInstruction>(sources[i].from.body).name;
      out.push_back({.source = &sources[i],
                     .label = name.empty() ? fmt::format("stage-{}", i) : name,
                     .nodes = {},
                     .platforms = {}});
      for (const auto id : environment_.plan.order) add(out.back(), id);
    }
    return out;
  }

  // Base images are of all stages that begin with them.
  void add(Stage& stage, graph::NodeId id) const {
    if (std::holds_alternative<graph::SourceOp>(environment_.graph.nodes[id].op)) return;
    const auto& info = graph::info_for(environment_.graph, id, environment_.number);
    if (info.target != environment_.number || to_lower(info.stage) != stage.label) return;
    stage.nodes.insert(id);
    const auto& use = table_.traces[id].emulation;
    const auto& platform = environment_.graph.nodes[id].platform;
    if (use.steps == 0 || !platform) return;
    stage.milliseconds += use.milliseconds;
    stage.platforms.insert(platforms::to_string(*platform));
    stage.platform = platforms::find_descriptor(*platform);
  }

  bool may_be_moved(const Stage& stage) const {
    const auto& from = std::get<FromInstruction>(stage.source->from.body);
    const auto& check = environment_.dockerfile.check;
    if (!from.platform.empty() || check.skip_all || contains(check.skip, k_rule)) return false;
    const auto& own = stage.source->from.skip;
    if (contains(own, k_rule) || contains(own, "all") || stage.platform == nullptr) return false;
    if (std::ranges::any_of(stage.source->instructions, asks_for_platform)) return false;
    return std::ranges::none_of(environment_.lowered.images, [&](const auto& image) {
      return image.root && stage.nodes.contains(image.root->node);
    });
  }

  // False where something else than a copy reads of the stage, or a copy of which not all is known.
  bool gives_portable_files(const Stage& stage) const {
    std::map<std::tuple<int, int, std::string>, Digest> copied;  // by the instruction
    for (const auto id : environment_.plan.order) {
      if (stage.nodes.contains(id) || !reads(id, stage)) continue;
      if (!only_copies(id, stage)) return false;
      const auto* layer = layer_of(id);
      if (layer == nullptr) return false;
      const auto& info = graph::info_for(environment_.graph, id, environment_.number);
      const auto [known, is_new] =
          copied.emplace(std::tuple(info.first_line, info.last_line, info.instruction), layer->result_digest);
      // Where it was made for several platforms it has to be the same for all.
      if (known->second != layer->result_digest) return false;
      if (is_new && !is_portable(*layer, *stage.platform)) return false;
    }
    return !copied.empty();
  }

  bool reads(graph::NodeId id, const Stage& stage) const {
    return std::ranges::any_of(environment_.graph.nodes[id].inputs,
                               [&](const graph::Ref& input) { return stage.nodes.contains(input.node); });
  }

  bool only_copies(graph::NodeId id, const Stage& stage) const {
    const auto& node = environment_.graph.nodes[id];
    const auto* op = std::get_if<graph::FileOp>(&node.op);
    if (op == nullptr) return false;
    return std::ranges::none_of(op->actions, [&](const graph::FileAction& action) {
      const auto input = static_cast<std::size_t>(action.input);
      return action.input >= 0 && input < node.inputs.size() && stage.nodes.contains(node.inputs[input].node);
    });
  }

  // What the step made; null where it is not here as files.
  const cache::Layer* layer_of(graph::NodeId id) const {
    const auto& results = table_.results[id];
    if (results.empty() || results.front().layers.empty()) return nullptr;
    const auto& layer = *results.front().layers.back();
    return layer.made_by == id ? environment_.steps.parts().layers.find(layer.id) : nullptr;
  }

  bool is_portable(const cache::Layer& layer, const platforms::Descriptor& platform) const {
    if (layer.bytes > k_most_bytes) return false;
    auto& parts = environment_.steps.parts();
    bool portable = true;
    each_entry(parts.worker, layer.id, parts.work, stop_, [&](const image::TarEntry& entry, image::TarReader& reader) {
      if (!portable || entry.type == '5') return;
      std::string content = entry.link_target;
      for (auto piece = reader.content(); !piece.bytes.empty(); piece = reader.content()) {
        if (content.size() <= emu::k_most_portable_bytes) content += piece.bytes;
      }
      portable = emu::is_portable(entry.path, content, platform);
    });
    return portable;
  }

  void tell(const Stage& stage) const {
    const std::vector<std::string> platforms(stage.platforms.begin(), stage.platforms.end());
    environment_.result.warnings.push_back(
        {.rule = std::string(k_rule),
         .message =
             fmt::format("stage {} ran {:.1f}s under emulation for {}, and all that is copied from it is the same "
                         "on every platform: FROM --platform=$BUILDPLATFORM has it run once, without emulation",
                         stage.label, static_cast<double>(stage.milliseconds) / 1000, join(platforms, ", ")),
         .range = stage.source->from.range});
  }

  const ExportEnvironment& environment_;
  const StepTable& table_;
  std::stop_token stop_;
};

}  // namespace

void advise_native_stages(const ExportEnvironment& environment, const std::stop_token& stop) {
  try {
    Advice(environment, stop).run();
  } catch (const Error&) {
    // It is advice: nothing depends on it.
  }
}

}  // namespace mbuild::executor
