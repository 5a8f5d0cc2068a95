#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"

// Stages in file order: each starts from its base's state and is changed by its steps.
//
// A state can be large (a generated file may set thousands of variables over thousands of stages), so the last stage
// that builds on another takes its state over instead of copying it, and history is a chain of parts (HistoryPart): a
// chain of stages costs memory for what each of them adds.
namespace mbuild::frontend::lowering {
namespace {

constexpr const char* k_default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* k_comment = "buildkit.dockerfile.v0";

HistoryPart* new_history(Lowering& lowering, const HistoryPart* before) {
  HistoryPart& part = lowering.history.emplace_back();
  part.before = before;
  return &part;
}

void set_image_variable(State& state, std::string_view name, const std::string& value) {
  state.image_env.set(name, value);
  state.env.set(name, value);
}

void add_default_path(State& state, const platforms::Platform& platform) {
  if (platform.os == "windows" || state.image_env.find("PATH") != nullptr) return;
  set_image_variable(state, "PATH", k_default_path);
}

// The configuration of "FROM scratch".
State empty_state(Lowering& lowering, const platforms::Platform& platform) {
  State state;
  state.config.platform = platform;
  state.config.working_dir = "/";
  state.history = new_history(lowering, nullptr);
  return state;
}

State image_state(Lowering& lowering, const ImageConfig& config) {
  State state;
  state.config = config;
  state.history = new_history(lowering, nullptr);
  state.history->entries = std::move(state.config.history);
  state.config.history.clear();
  for (const std::string& text : config.env) {
    const auto [name, value] = split_variable(text);
    set_image_variable(state, name, std::string(value));
  }
  state.config.env.clear();
  state.ports = {config.exposed_ports.begin(), config.exposed_ports.end()};
  state.volumes = {config.volumes.begin(), config.volumes.end()};
  state.config.created.clear();
  state.config.on_build.clear();
  return state;
}

// The node of an image; none for one without layers.
std::optional<graph::Ref> image_root(Lowering& lowering, Stage& stage) {
  const std::vector<std::string>& layers = stage.image->config.diff_ids;
  graph::NodeInfo info = base_info(lowering, stage, stage.image->name);
  if (layers.empty()) return std::nullopt;
  graph::ImageSource source{.name = stage.image->name, .layers = layers};
  return add_node(lowering, graph::Node{graph::SourceOp(std::move(source)), {}, std::nullopt}, std::move(info));
}

// A context as the root of a stage becomes a layer, which history must name.
void materialise(Lowering& lowering, Stage& stage, const ContextTree& tree, const std::string& name) {
  graph::Node node;
  graph::FileAction copy;
  copy.secondary = input_index(node, tree.ref);
  copy.source = copy.destination = "/";
  copy.allow_wildcard = false;
  copy.output = 0;
  node.op = graph::FileOp{{std::move(copy)}};
  stage.state.root = add_node(lowering, std::move(node), base_info(lowering, stage, name));
  append_history(lowering, stage, "FROM " + name, false);
}

// The state of an image or context that a stage starts from, or that stands on its own.
void start_from_context(Lowering& lowering, Stage& stage) {
  const NamedContext& context = *stage.context;
  if (context.kind != ContextKind::scratch) {
    stage.tree = ContextTree{context_tree(lowering, context)};
  }
  stage.state = empty_state(lowering, *stage.platform);
}

// The nodes are another target's.
void start_from_linked(Lowering& lowering, Stage& stage) {
  stage.state = image_state(lowering, stage.linked->config);
  stage.state.root = stage.linked->root;
  stage.platform = stage.linked->platform;
  base_info(lowering, stage, stage.base_text);  // counts
}

void start_from_image(Lowering& lowering, Stage& stage) {
  if (stage.unavailable) {
    stage.state = empty_state(lowering, *stage.platform);
    stage.state.unknown_base = true;
    return;
  }
  stage.state = image_state(lowering, stage.image->config);
  stage.state.root = image_root(lowering, stage);
  const platforms::Platform& actual = stage.image->config.platform;
  if (stage.replaced && !actual.os.empty() && !actual.arch.empty()) stage.platform = actual;
  if (stage.base_kind == BaseKind::image) check_base_platform(lowering, stage, actual);
}

// Images and contexts that are read but are no stages of the file: complete as they are.
void start_reference(Lowering& lowering, Stage& stage) {
  if (stage.query) {
    start_from_image(lowering, stage);
  } else if (stage.linked != nullptr) {
    start_from_linked(lowering, stage);
  } else if (stage.context != nullptr) {
    start_from_context(lowering, stage);
  } else {
    stage.state = empty_state(lowering, *stage.platform);
  }
  stage.dispatched = true;
}

void start_from_stage(Lowering& lowering, Stage& stage) {
  Stage& base = lowering.stages[stage.base];
  stage.platform = base.platform;
  const bool last = base.heirs > 0 && --base.heirs == 0 && stage.base != lowering.target;
  const std::optional<graph::Ref> root = base.state.root;
  if (last) {
    stage.state = std::move(base.state);
    base.state = State{};
    base.state.root = root;  // COPY --from may still want it
  } else {
    stage.state = base.state;
  }
  State& state = stage.state;
  state.history = new_history(lowering, state.history);
  state.config.on_build.clear();
  // ARGs go on to the next stage, but ENV wins over them again.
  for (const std::string& name : state.overridden) {
    if (const std::string* value = state.image_env.find(name)) state.env.set(name, *value);
  }
  state.overridden.clear();
  if (base.tree) materialise(lowering, stage, *base.tree, stage.base_text);
}

void start_stage(Lowering& lowering, Stage& stage) {
  if (stage.base_kind == BaseKind::stage) {
    start_from_stage(lowering, stage);
  } else if (stage.query) {
    start_from_image(lowering, stage);
  } else if (stage.linked != nullptr) {
    start_from_linked(lowering, stage);
  } else if (stage.base_kind == BaseKind::context) {
    start_from_context(lowering, stage);
    if (stage.tree) materialise(lowering, stage, *stage.tree, stage.base_text);
    stage.tree.reset();
  } else {
    stage.state = empty_state(lowering, *stage.platform);
  }
  add_default_path(stage.state, *stage.platform);
  std::string& directory = stage.state.config.working_dir;
  if (!directory.empty() && !directory.starts_with('/')) directory = join_path("/", directory);
}

void lower_on_build(Stage& stage, const dockerfile::OnBuildInstruction& on_build) {
  stage.state.config.on_build.push_back(on_build.text);
}

// Calls the function of the instruction.
void lower_step(Lowering& lowering, Stage& stage, const Step& step) {
  struct Visitor {
    Lowering& lowering;
    Stage& stage;
    const Step& step;
    void operator()(const dockerfile::FromInstruction&) const {}
    void operator()(const dockerfile::ArgInstruction& x) const { lower_arg(lowering, stage, step, x); }
    void operator()(const dockerfile::EnvInstruction& x) const { lower_env(lowering, stage, step, x); }
    void operator()(const dockerfile::LabelInstruction& x) const { lower_label(lowering, stage, step, x); }
    void operator()(const dockerfile::MaintainerInstruction& x) const { lower_maintainer(lowering, stage, x); }
    void operator()(const dockerfile::RunInstruction& x) const { lower_run(lowering, stage, step, x); }
    void operator()(const dockerfile::CopyInstruction& x) const { lower_copy(lowering, stage, step, x); }
    void operator()(const dockerfile::WorkdirInstruction& x) const { lower_workdir(lowering, stage, step, x); }
    void operator()(const dockerfile::UserInstruction& x) const { lower_user(lowering, stage, step, x); }
    void operator()(const dockerfile::CmdInstruction& x) const { lower_cmd(lowering, stage, step, x); }
    void operator()(const dockerfile::EntrypointInstruction& x) const { lower_entrypoint(lowering, stage, step, x); }
    void operator()(const dockerfile::ShellInstruction& x) const { lower_shell(lowering, stage, x); }
    void operator()(const dockerfile::ExposeInstruction& x) const { lower_expose(lowering, stage, step, x); }
    void operator()(const dockerfile::VolumeInstruction& x) const { lower_volume(lowering, stage, step, x); }
    void operator()(const dockerfile::StopSignalInstruction& x) const { lower_stop_signal(lowering, stage, step, x); }
    void operator()(const dockerfile::HealthCheckInstruction& x) const { lower_health_check(lowering, stage, step, x); }
    void operator()(const dockerfile::OnBuildInstruction& x) const { lower_on_build(stage, x); }
  };
  std::visit(Visitor{lowering, stage, step}, step.instruction->body);
}

// True when what follows in the stage would go wrong, or mean something else, because of this instruction's error.
bool spoils_what_follows(const dockerfile::Instruction& instruction) {
  return std::holds_alternative<dockerfile::EnvInstruction>(instruction.body) ||
         std::holds_alternative<dockerfile::ArgInstruction>(instruction.body);
}

// Goes on after an error, so that one run tells all that is wrong.
void lower_steps(Lowering& lowering, Stage& stage) {
  try {
    start_stage(lowering, stage);
  } catch (Error& error) {
    stage.failed = true;
    lowering.shared.problems.add(std::move(error), stage.range);
  }
  for (auto step = stage.steps.begin(); step != stage.steps.end() && !stage.failed; ++step) {
    try {
      lower_step(lowering, stage, *step);
    } catch (Error& error) {
      stage.failed = spoils_what_follows(*step->instruction);
      lowering.shared.problems.add(std::move(error), step_range(stage, *step));
    }
  }
}

// A stage that cannot go on takes its heirs with it.
void dispatch_stage(Lowering& lowering, Stage& stage) {
  stage.failed = stage.base_kind == BaseKind::stage && lowering.stages[stage.base].failed;
  if (!stage.failed) lower_steps(lowering, stage);
  stage.dispatched = true;
}

void count_heirs(Lowering& lowering) {
  for (const Stage& stage : lowering.stages) {
    if (stage.reachable && stage.base != k_no_stage) ++lowering.stages[stage.base].heirs;
  }
}

std::vector<HistoryEntry> collect_history(const HistoryPart* last) {
  std::vector<const HistoryPart*> parts;
  for (const HistoryPart* part = last; part != nullptr; part = part->before) parts.push_back(part);
  std::vector<HistoryEntry> history;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    history.insert(history.end(), (*part)->entries.begin(), (*part)->entries.end());
  }
  return history;
}

// The image says the platform that was asked for; what the base says stays only where the request is silent.
bool is_labelled_as_asked(const Lowering& lowering, const ImageConfig& config) {
  const platforms::Platform& wanted = lowering.target_platform;
  return config.platform.os == wanted.os && config.platform.arch == wanted.arch;
}

// `image` has the platform of its base still.
void note_foreign_base(const Lowering& lowering, const Stage& target, LoweredImage& image) {
  const Stage* stage = &target;
  while (stage->base_kind == BaseKind::stage) stage = &lowering.stages[stage->base];
  if (stage->base_kind == BaseKind::scratch || image.config.platform.arch.empty()) return;
  if (lowering.shared.request.implicit_platform || is_labelled_as_asked(lowering, image.config)) return;
  image.foreign_base = foreign_base_warning(*stage, image.config.platform, lowering.target_platform);
}

void set_platform(const Lowering& lowering, ImageConfig& config) {
  if (lowering.shared.request.implicit_platform && !config.platform.os.empty()) return;
  const platforms::Platform& wanted = lowering.target_platform;
  const bool same = is_labelled_as_asked(lowering, config);
  config.platform.os = wanted.os;
  config.platform.arch = wanted.arch;
  if (!wanted.variant.empty() || !same) config.platform.variant = wanted.variant;
  if (!wanted.os_version.empty() || !same) config.platform.os_version = wanted.os_version;
}

}  // namespace

void append_history(Lowering& lowering, Stage& stage, std::string created_by, bool empty_layer) {
  HistoryEntry entry;
  if (lowering.epoch) entry.created = created_text(*lowering.epoch);
  entry.created_by = std::move(created_by);
  entry.comment = k_comment;
  entry.empty_layer = empty_layer;
  stage.state.history->entries.push_back(std::move(entry));
}

graph::Ref add_node(Lowering& lowering, graph::Node node, graph::NodeInfo info) {
  info.file = info.first_line > 0 ? lowering.shared.request.dockerfile.name : "";
  info.target = lowering.shared.request.number;
  return graph::Ref{lowering.shared.graph.add(std::move(node), std::move(info)), 0};
}

std::int32_t input_index(graph::Node& node, const std::optional<graph::Ref>& ref) {
  if (!ref) return -1;
  const auto known = std::ranges::find(node.inputs, *ref);
  if (known == node.inputs.end()) {
    node.inputs.push_back(*ref);
    return static_cast<std::int32_t>(node.inputs.size() - 1);
  }
  return static_cast<std::int32_t>(known - node.inputs.begin());
}

void dispatch_stages(Lowering& lowering) {
  count_heirs(lowering);
  for (Stage& stage : lowering.stages) {
    if (stage.reachable && (stage.source == nullptr || stage.replaced)) start_reference(lowering, stage);
  }
  for (Stage& stage : lowering.stages) {
    if (stage.reachable && !stage.dispatched) dispatch_stage(lowering, stage);
  }
}

LoweredImage finish_image(Lowering& lowering) {
  Stage& stage = lowering.stages[lowering.target];
  if (stage.tree) materialise(lowering, stage, *stage.tree, stage.label);
  const State& state = stage.state;
  LoweredImage image;
  image.root = state.root;
  image.config = state.config;
  image.config.env = state.image_env.entries();
  image.config.exposed_ports = {state.ports.begin(), state.ports.end()};
  image.config.volumes = {state.volumes.begin(), state.volumes.end()};
  image.config.history = collect_history(state.history);
  for (const auto& [name, value] : lowering.shared.request.labels) image.config.labels[name] = value;
  if (lowering.epoch) image.config.created = created_text(*lowering.epoch);
  note_foreign_base(lowering, stage, image);
  set_platform(lowering, image.config);
  // Where none was asked for, FROM --platform=linux/amd64 gives an image for amd64 on any host.
  image.platform = is_labelled_as_asked(lowering, image.config) ? lowering.target_platform : image.config.platform;
  return image;
}

}  // namespace mbuild::frontend::lowering
