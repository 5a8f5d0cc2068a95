#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "frontend/dockerfile/expand.h"
#include "frontend/dockerfile/syntax.h"
#include "frontend/dockerignore.h"
#include "frontend/frontend.h"
#include "frontend/lower/problems.h"
#include "frontend/outline.h"

// What the files lower_*.cc share. Lowering has three phases for each target platform:
//   1. stages (lower_stages.cc): global arguments, a Stage for each FROM and for each image that COPY or a mount names,
//      and what depends on what;
//   2. rounds (lower.cc): the images of reachable stages are asked for, their ONBUILD triggers become steps, until
//      nothing new is needed;
//   3. dispatch (lower_dispatch.cc and the files of the instructions): stages in file order, each from the state that
//      its base left behind.
// The graph and all that does not depend on the platform are in Shared, the rest in Lowering.
namespace mbuild::frontend::lowering {

// Variables in the order in which they were first set; setting one again keeps its place.
class Variables {
 public:
  // nullptr when the variable is not set. The pointer is valid until the next set().
  const std::string* find(std::string_view name) const;
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);  // slow: the later ones move up
  bool empty() const { return values_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }
  std::vector<std::string> names() const;
  // "NAME=value", in order.
  std::vector<std::string> entries() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::vector<std::pair<std::string, std::string>> values_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

// "A=b" as name and value; without '=' the value is empty.
std::pair<std::string_view, std::string_view> split_variable(std::string_view text);

using StageId = std::uint32_t;
inline constexpr StageId k_no_stage = UINT32_MAX;

// An instruction of a stage that is to be lowered.
struct Step {
  const dockerfile::Instruction* instruction = nullptr;
  bool on_build = false;         // comes from a trigger of the base
  std::vector<StageId> sources;  // COPY --from: one; RUN: one for each mount, k_no_stage where it has no `from`
};

// A stage's own history; what came before belongs to its base, so that a chain of stages costs no copies.
struct HistoryPart {
  std::vector<HistoryEntry> entries;
  const HistoryPart* before = nullptr;
};

// A source of files that is not an image's root: a build context.
struct ContextTree {
  graph::Ref ref;
};

// What a stage hands on to the next. `config` lacks env, ports, volumes and history, which are kept beside it.
struct State {
  ImageConfig config;
  Variables image_env;                  // ENV
  Variables env;                        // ENV and ARG, as RUN and expansion see them
  Variables arguments;                  // ARGs declared so far, with their values ("" when unset)
  std::vector<std::string> overridden;  // ENV names that an ARG gave another value for the rest of the stage
  std::set<std::string> ports, volumes;
  HistoryPart* history = nullptr;
  std::optional<graph::Ref> root;  // none: scratch
  bool workdir_set = false;        // a WORKDIR of this file came before
  bool unknown_base = false;       // check mode: the base image could not be had
};

enum class ContextKind { image, oci_layout, scratch, local, git, http, target };

// --build-context NAME=VALUE.
struct NamedContext {
  std::string name;  // as given
  ContextKind kind = ContextKind::local;
  std::string value;  // image: the normalised reference; oci_layout: the whole value; target: its name; else as given
};

// Where a stage starts.
enum class BaseKind { scratch, stage, image, context };

// What outline() wants to know of a stage.
struct StageOutline {
  std::vector<OutlineItem> arguments, secrets, ssh;
  std::vector<std::string> inherited;  // ARGs that are those of the top of the file
};

struct Stage {
  const dockerfile::Stage* source = nullptr;  // null: an image or context that COPY --from or a mount names
  std::string name;                           // lower-cased, "" when it has none
  std::string label;                          // what step names show: the name or "stage-2"
  std::string base_text;                      // FROM's operand, expanded
  dockerfile::Range range;
  std::optional<platforms::Platform> platform;

  BaseKind base_kind = BaseKind::scratch;
  StageId base = k_no_stage;              // BaseKind::stage
  const NamedContext* context = nullptr;  // BaseKind::context, or the context that replaces the whole stage
  bool replaced = false;                  // a context of this name stands in for the stage
  std::optional<ImageQuery> query;        // image to ask for
  const ResolvedImage* image = nullptr;   // the answer
  const LoweredImage* linked = nullptr;   // another target's
  bool unavailable = false;               // check mode: no answer

  std::vector<Step> steps;
  std::vector<std::pair<StageId, const dockerfile::Instruction*>> sources;  // stages that steps read
  bool located = false;                                                     // base_kind, context and query are known
  bool triggers_fired = false;
  bool reachable = false;
  std::uint32_t heirs = 0;  // reachable stages that still have to take the state over

  State state;
  std::optional<ContextTree> tree;  // a context taken as it is, instead of state.root
  bool dispatched = false;
  bool failed = false;  // lowering it ended in an error
  std::size_t step_index = 0, step_count = 0;
  bool ignore_cache = false;
  const dockerfile::Instruction* cmd = nullptr;
  const dockerfile::Instruction* entrypoint = nullptr;
  const dockerfile::Instruction* health_check = nullptr;
  StageOutline outline;
};

// What all platforms share.
struct Shared {
  explicit Shared(const Request& request);

  const Request& request;
  dockerfile::CheckOptions check;
  bool checking = false;   // check() and outline(): keep going without images
  bool outlining = false;  // outline(): note what the stages use
  graph::Graph graph;
  std::map<ImageQuery, ResolvedImage> images;
  std::set<ImageQuery> unavailable;              // check mode
  std::map<std::string, NamedContext> contexts;  // by normalised key; those of patterns come when they are met
  std::map<std::pair<ContextKind, std::string>, graph::Ref> trees;  // nodes of contexts: a directory's by its name
  bool ignore_read = false;
  std::vector<std::string> ignore_patterns;  // of the main context
  std::unique_ptr<IgnoreMatcher> ignore_matcher;
  Problems problems;  // of the phase that is under way
};

// One target platform.
struct Lowering {
  Lowering(Shared& all, platforms::Platform target) : shared(all), target_platform(std::move(target)) {}

  Shared& shared;
  platforms::Platform target_platform;
  std::map<std::string, std::string> build_args;  // with SOURCE_DATE_EPOCH resolved
  Variables global_args;
  std::optional<std::int64_t> epoch;
  std::vector<std::pair<std::string, std::string>> proxies;  // NAME=value for RUN, not in keys

  std::deque<Stage> stages;
  std::map<std::string, StageId, std::less<>> by_name;       // lower-cased; the last one of a name wins
  std::map<std::string, StageId, std::less<>> by_reference;  // stages made for --from
  StageId target = k_no_stage;
  std::deque<dockerfile::Instruction> triggers;  // parsed ONBUILD payloads
  std::deque<HistoryPart> history;
  std::vector<dockerfile::Warning> warnings;
};

// lower_args.cc
// The platform arguments and the global ARGs in order. Throws Error with an excerpt.
void make_global_args(Lowering& lowering);
// The global variables as they would be without any --build-arg, for the rule InvalidDefaultArgInFrom.
Variables default_global_args(const Lowering& lowering);
// Expands the word of an instruction in the variables of a stage; undefined variables are reported.
std::string expand_word(Lowering& lowering, const Stage& stage, const Step& step, std::string_view word);
// The body of a COPY heredoc: quotes stay, '\' is the escape character whatever the directive says.
std::string expand_body(Lowering& lowering, const Stage& stage, const Step& step, std::string_view body);
dockerfile::Lookup lookup_in(const Variables& variables);
void lower_arg(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::ArgInstruction& arg);

// lower_epoch.cc
// SOURCE_DATE_EPOCH from the build argument or a global ARG; replaces its value by the number.
void resolve_epoch(Lowering& lowering);
std::string created_text(std::int64_t seconds);

// lower_stages.cc
// What is wrong goes to Shared::problems, here and in locate_bases() and dispatch_stages().
void make_stages(Lowering& lowering);
// The stages that the target needs (every stage when `all`), through bases, COPY --from and mounts.
void mark_reachable(Lowering& lowering, bool all);
// Finds out where reachable stages start; returns the images that have to be asked for.
std::vector<ImageQuery> locate_bases(Lowering& lowering);
// Takes the answers and fires ONBUILD triggers; true when that made new stages or dependencies.
bool fire_triggers(Lowering& lowering);

// lower_contexts.cc
void read_contexts(Shared& shared);
// The named context for a stage name or image reference on a platform, or nullptr.
const NamedContext* find_context(Shared& shared, std::string_view name, const platforms::Platform& platform);
// The node of a context, made on first use. The main context, or a named one of kind local, git or http.
graph::Ref main_context(Lowering& lowering);
graph::Ref context_tree(Lowering& lowering, const NamedContext& context);
// The matcher of the main context's .dockerignore; nullptr when there is none.
const IgnoreMatcher* main_ignore_matcher(Shared& shared);

// lower_dispatch.cc
// Lowers all reachable stages.
void dispatch_stages(Lowering& lowering);
// The image of the target.
LoweredImage finish_image(Lowering& lowering);
void append_history(Lowering& lowering, Stage& stage, std::string created_by, bool empty_layer);
// Adds a node and returns its first output.
graph::Ref add_node(Lowering& lowering, graph::Node node, graph::NodeInfo info);
// The index of `ref` in the node's inputs, added when it is not there.
std::int32_t input_index(graph::Node& node, const std::optional<graph::Ref>& ref);

// lower_names.cc
// Name, lines and stage of a step; counts the step. `text` is what stands after the bracket.
graph::NodeInfo step_info(const Lowering& lowering, Stage& stage, const Step& step, std::string text);
graph::NodeInfo base_info(const Lowering& lowering, Stage& stage, std::string_view reference);
graph::NodeInfo internal_info(std::string name, const Stage& stage);
// The text of an instruction for display: variables expanded where that works, keyword in upper case.
std::string shown_text(const Lowering& lowering, const Stage& stage, const dockerfile::Instruction& instruction);
// The same for RUN, where quotes stay; `summary` is what its heredoc adds, values from secrets are masked.
std::string shown_run_text(const Lowering& lowering, const Stage& stage, const dockerfile::Instruction& instruction,
                           const std::string& summary, const std::set<std::string>& secret_variables);
// How many of the steps have a node of their own and so a place in "2/5".
bool is_counted(const dockerfile::Instruction& instruction);

// lower_run.cc, lower_mounts.cc, lower_copy.cc, lower_config.cc, lower_expose.cc: one instruction each.
void lower_run(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::RunInstruction& run);
void lower_mounts(Lowering& lowering, const Stage& stage, const Step& step, const dockerfile::RunInstruction& run,
                  graph::Node& node, std::set<std::string>& secret_variables);
void lower_copy(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::CopyInstruction& copy);
void lower_workdir(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::WorkdirInstruction& workdir);
void lower_env(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::EnvInstruction& env);
void lower_label(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::LabelInstruction& label);
void lower_user(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::UserInstruction& user);
void lower_cmd(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::CmdInstruction& cmd);
void lower_entrypoint(Lowering& lowering, Stage& stage, const Step& step,
                      const dockerfile::EntrypointInstruction& entrypoint);
void lower_shell(Lowering& lowering, Stage& stage, const dockerfile::ShellInstruction& shell);
void lower_expose(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::ExposeInstruction& expose);
void lower_volume(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::VolumeInstruction& volume);
void lower_stop_signal(Lowering& lowering, Stage& stage, const Step& step,
                       const dockerfile::StopSignalInstruction& signal);
void lower_health_check(Lowering& lowering, Stage& stage, const Step& step,
                        const dockerfile::HealthCheckInstruction& check);
void lower_maintainer(Lowering& lowering, Stage& stage, const dockerfile::MaintainerInstruction& maintainer);
// SHELL (or the default) and the text; an exec form as it is.
std::vector<std::string> command_line(const State& state, const dockerfile::Command& command);

// The current WORKDIR, "/" when there is none.
std::string working_directory(const State& state);
// True for text that expansion would not change.
inline bool is_plain(std::string_view text, char escape) {
  return text.find_first_of("$'\"") == std::string_view::npos && text.find(escape) == std::string_view::npos;
}
// An error of an instruction: gets the excerpt of its lines unless it has one.
Error with_place(const Lowering& lowering, Error error, dockerfile::Range range);

}  // namespace mbuild::frontend::lowering
