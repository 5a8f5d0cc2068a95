#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/state.h"
#include "frontend/lower/text.h"

// Instructions that change the configuration and the state of the stage; WORKDIR makes its directory as well.
namespace mbuild::frontend::lowering {
namespace {

using dockerfile::KeyValue;

// All values see the variables before the instruction.
std::vector<std::pair<std::string, std::string>> expand_pairs(Lowering& lowering, const Stage& stage, const Step& step,
                                                              const std::vector<KeyValue>& pairs) {
  std::vector<std::pair<std::string, std::string>> expanded;
  for (const KeyValue& pair : pairs) {
    expanded.emplace_back(expand_word(lowering, stage, step, pair.key),
                          expand_word(lowering, stage, step, pair.value.value_or("")));
  }
  return expanded;
}

std::string pairs_text(std::string_view keyword, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text(keyword);
  for (const auto& [key, value] : pairs) text += " " + key + "=" + value;
  return text;
}

bool is_real_time_signal(std::string_view name) {
  const bool from_least = name.starts_with("RTMIN");
  if (!from_least && !name.starts_with("RTMAX")) return false;
  std::string_view offset = name.substr(5);
  if (offset.empty()) return true;
  if (offset.front() != (from_least ? '+' : '-')) return false;
  offset.remove_prefix(1);
  int value = 0;
  const auto [end, code] = std::from_chars(offset.data(), offset.data() + offset.size(), value);
  const bool whole = code == std::errc() && end == offset.data() + offset.size() && offset.front() != '0';
  return whole && value >= 1 && value <= (from_least ? 15 : 14);
}

bool is_signal(std::string_view text) {
  static constexpr std::array<std::string_view, 37> k_names = {
      "ABRT", "ALRM", "BUS",  "CHLD", "CLD",    "CONT",  "FPE",    "HUP",  "ILL", "INT",  "IO",   "IOT",  "KILL",
      "PIPE", "POLL", "PROF", "PWR",  "QUIT",   "SEGV",  "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN",
      "TTOU", "URG",  "USR1", "USR2", "VTALRM", "WINCH", "XCPU",   "XFSZ", "EMT", "INFO", "LOST"};
  std::int64_t number = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (code == std::errc() && end == digits.data() + digits.size()) return number != 0;
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  const bool portable = std::ranges::find(k_names, name) < k_names.end() - 3;  // the last three are not Linux's
  return portable || is_real_time_signal(name);
}

// An absolute path goes into the configuration as it is written, "/a/../b/" too; a relative one is joined and cleaned.
std::string next_working_dir(const State& state, const std::string& path) {
  return path.starts_with('/') ? path : join_path(working_directory(state), path);
}

}  // namespace

std::string working_directory(const State& state) {
  return state.config.working_dir.empty() ? "/" : clean_path(state.config.working_dir);
}

void lower_workdir(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::WorkdirInstruction& workdir) {
  State& state = stage.state;
  const std::string text = shown_text(lowering, stage, *step.instruction);
  const std::string path = expand_word(lowering, stage, step, workdir.path);
  check_relative_workdir(lowering, stage, step, path);
  state.workdir_set = true;
  state.config.working_dir = next_working_dir(state, path);
  const bool makes_layer = state.config.working_dir != "/";
  if (makes_layer) {
    graph::Node node;
    graph::FileAction make;
    make.kind = graph::FileActionKind::mkdir;
    make.input = input_index(node, state.root);
    make.destination = working_directory(state);
    make.mode = "0755";
    make.owner = state.config.user;
    make.make_parents = true;
    make.timestamp = lowering.epoch;
    make.output = 0;
    node.op = graph::FileOp{{std::move(make)}};
    state.root = add_node(lowering, std::move(node), step_info(lowering, stage, step, text));
  }
  append_history(lowering, stage, "WORKDIR " + state.config.working_dir, !makes_layer);
}

void lower_env(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::EnvInstruction& env) {
  const auto pairs = expand_pairs(lowering, stage, step, env.values);
  check_key_value_format(lowering, stage, step, env.legacy);
  for (const auto& [name, value] : pairs) {
    check_secret_name(lowering, stage, step, "ENV", name);
    stage.state.image_env.set(name, value);
    stage.state.env.set(name, value);
  }
  append_history(lowering, stage, pairs_text("ENV", pairs), true);
}

void lower_label(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::LabelInstruction& label) {
  const auto pairs = expand_pairs(lowering, stage, step, label.values);
  check_key_value_format(lowering, stage, step, label.legacy);
  for (const auto& [name, value] : pairs) stage.state.config.labels[name] = value;
  append_history(lowering, stage, pairs_text("LABEL", pairs), true);
}

void lower_maintainer(Lowering& lowering, Stage& stage, const dockerfile::MaintainerInstruction& maintainer) {
  stage.state.config.author = maintainer.name;
  append_history(lowering, stage, "MAINTAINER " + maintainer.name, true);
}

void lower_user(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::UserInstruction& user) {
  stage.state.config.user = expand_word(lowering, stage, step, user.user);
  append_history(lowering, stage, "USER " + stage.state.config.user, true);
}

void lower_cmd(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::CmdInstruction& cmd) {
  check_used_once(lowering, step, stage.cmd);
  check_shell_form(lowering, stage, step, cmd.command);
  ImageConfig& config = stage.state.config;
  config.cmd = command_line(stage.state, cmd.command);
  config.args_escaped = true;
  append_history(lowering, stage, "CMD " + go_quoted_list(*config.cmd), true);
}

void lower_entrypoint(Lowering& lowering, Stage& stage, const Step& step,
                      const dockerfile::EntrypointInstruction& entrypoint) {
  check_used_once(lowering, step, stage.entrypoint);
  check_shell_form(lowering, stage, step, entrypoint.command);
  ImageConfig& config = stage.state.config;
  config.entrypoint = command_line(stage.state, entrypoint.command);
  if (stage.cmd == nullptr) config.cmd.reset();  // an inherited command was meant for another entry point
  append_history(lowering, stage, "ENTRYPOINT " + go_quoted_list(*config.entrypoint), true);
}

void lower_shell(Lowering& lowering, Stage& stage, const dockerfile::ShellInstruction& shell) {
  stage.state.config.shell = shell.words;
  append_history(lowering, stage, "SHELL " + go_list(shell.words), true);
}

void lower_volume(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::VolumeInstruction& volume) {
  std::vector<std::string> paths;
  for (const std::string& written : volume.paths) {
    paths.push_back(expand_word(lowering, stage, step, written));
    if (paths.back().empty()) throw usage_error("VOLUME specified can not be an empty string");
  }
  stage.state.volumes.insert(paths.begin(), paths.end());
  append_history(lowering, stage, "VOLUME " + go_list(paths), true);
}

void lower_stop_signal(Lowering& lowering, Stage& stage, const Step& step,
                       const dockerfile::StopSignalInstruction& instruction) {
  const std::string signal = expand_word(lowering, stage, step, instruction.signal);
  if (!is_signal(signal)) throw usage_error("invalid signal: " + signal);
  stage.state.config.stop_signal = signal;
  append_history(lowering, stage, "STOPSIGNAL " + signal, true);
}

void lower_health_check(Lowering& lowering, Stage& stage, const Step& step,
                        const dockerfile::HealthCheckInstruction& instruction) {
  check_used_once(lowering, step, stage.health_check);
  HealthCheck check;
  if (instruction.none) {
    check.test = {"NONE"};
  } else {
    check.test = {instruction.command.exec_form ? "CMD" : "CMD-SHELL"};
    check.test.insert(check.test.end(), instruction.command.words.begin(), instruction.command.words.end());
  }
  check.interval_ns = instruction.interval_ns;
  check.timeout_ns = instruction.timeout_ns;
  check.start_period_ns = instruction.start_period_ns;
  check.start_interval_ns = instruction.start_interval_ns;
  check.retries = instruction.retries;
  append_history(lowering, stage, "HEALTHCHECK " + go_health_check(check), true);
  stage.state.config.health_check = std::move(check);
}

}  // namespace mbuild::frontend::lowering
