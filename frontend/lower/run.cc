#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "frontend/dockerfile/heredoc.h"
#include "frontend/lower/outline.h"
#include "frontend/lower/state.h"

// RUN. A heredoc body goes to the shell as its command; one that starts with "#!" becomes a file of its own, which the
// shell runs; with other words around "<<" the whole text goes to the shell, which reads the bodies itself.
namespace mbuild::frontend::lowering {
namespace {

constexpr const char* k_pipes = "/dev/pipes";

// True when the command is nothing but "<<DELIMITER".
bool is_heredoc_alone(const dockerfile::Command& command) {
  return !command.heredocs.empty() && command.words.size() == 1 &&
         dockerfile::parse_heredoc_word(command.words.front()).has_value();
}

// The bodies keep the tabs of "<<-", as the shell strips them itself.
std::string with_bodies(const dockerfile::Command& command) {
  std::string text = command.words.empty() ? "" : command.words.front();
  for (const dockerfile::Heredoc& heredoc : command.heredocs) text += "\n" + heredoc.raw + heredoc.name;
  return text;
}

std::string first_line(std::string_view body) {
  const std::string_view text = trim(body);
  const std::size_t end = text.find_first_of("\r\n");
  return std::string(text.substr(0, end)) + (end == std::string_view::npos ? "" : "...");
}

// The body as an executable file, mounted read-only; returns the command that runs it.
std::string mount_script(Lowering& lowering, const Stage& stage, const dockerfile::Heredoc& heredoc, graph::Node& node,
                         std::vector<graph::Mount>& mounts) {
  graph::FileAction file;
  file.kind = graph::FileActionKind::mkfile;
  file.destination = "/" + heredoc.name;
  file.content = heredoc.content;
  file.mode = "0755";
  file.output = 0;
  const graph::Ref script = add_node(lowering, graph::Node{graph::FileOp{{std::move(file)}}, {}, std::nullopt},
                                     internal_info("preparing inline document", stage));
  graph::Mount mount;
  mount.target = k_pipes;
  mount.input = input_index(node, script);
  mount.read_only = true;
  mounts.push_back(std::move(mount));
  return fmt::format("{}/{}", k_pipes, heredoc.name);
}

graph::NetworkMode network_of(const Request& request, const dockerfile::RunInstruction& run) {
  if (run.network.empty() || run.network == "default") return request.network;
  if (run.network == "none") return graph::NetworkMode::none;
  if (run.network == "host") return graph::NetworkMode::host;
  throw usage_error(fmt::format("invalid network mode \"{}\"", run.network));
}

graph::SecurityMode security_of(const dockerfile::RunInstruction& run) {
  if (run.security.empty() || run.security == "sandbox") return graph::SecurityMode::sandbox;
  if (run.security == "insecure") return graph::SecurityMode::insecure;
  throw usage_error(fmt::format("security \"{}\" is not valid", run.security));
}

void check_entitlements(const Shared& shared, const graph::ExecOp& exec) {
  if (shared.checking) return;  // leave is asked for when something is to run
  const Request& request = shared.request;
  const auto refuse = [](const char* name) {
    return usage_error(fmt::format("entitlement {} is not allowed", name))
        .with_advice(fmt::format("run the build with --allow {} if you trust this Dockerfile", name));
  };
  if (exec.network == graph::NetworkMode::host && !request.allow_network_host) throw refuse("network.host");
  if (exec.security == graph::SecurityMode::insecure && !request.allow_security_insecure) {
    throw refuse("security.insecure");
  }
}

// What comes from the request and not from the instruction.
void apply_request(const Lowering& lowering, graph::ExecOp& exec) {
  const Request& request = lowering.shared.request;
  exec.extra_hosts = request.extra_hosts;
  exec.ulimits = request.ulimits;
  exec.shm_size = request.shm_size;
  exec.cgroup_parent = request.cgroup_parent;
  const auto hostname = lowering.build_args.find("BUILDKIT_SANDBOX_HOSTNAME");
  if (hostname != lowering.build_args.end()) exec.hostname = hostname->second;
}

void set_environment(const Lowering& lowering, const State& state, graph::ExecOp& exec) {
  exec.env = state.env.entries();
  // After the others: the last of a name counts.
  for (const auto& [name, value] : lowering.proxies) exec.proxy_env.push_back(name + "=" + value);
  const auto agent = std::ranges::find(exec.mounts, graph::MountKind::ssh, &graph::Mount::kind);
  if (agent != exec.mounts.end() && state.env.find("SSH_AUTH_SOCK") == nullptr) {
    exec.env.push_back("SSH_AUTH_SOCK=" + agent->target);
  }
}

// "|2 a=1 b= " where arguments are declared.
std::string argument_prefix(const State& state) {
  const auto& arguments = state.arguments.values();
  if (arguments.empty()) return "";
  std::string text = fmt::format("|{} ", arguments.size());
  for (const auto& [name, declared] : arguments) {
    const std::string* value = state.env.find(name);
    text += name + "=" + (value != nullptr ? *value : declared) + " ";
  }
  return text;
}

}  // namespace

std::vector<std::string> command_line(const State& state, const dockerfile::Command& command) {
  if (command.exec_form) return command.words;
  std::vector<std::string> words = {"/bin/sh", "-c"};
  if (state.config.platform.os == "windows") words = {"cmd", "/S", "/C"};
  if (state.config.shell && !state.config.shell->empty()) words = *state.config.shell;
  words.push_back(join(command.words, " "));
  return words;
}

void lower_run(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::RunInstruction& run) {
  if (!run.devices.empty()) {
    throw usage_error("device feature is only supported in Dockerfile frontend 1.14.0-labs or later");
  }
  State& state = stage.state;
  graph::Node node;
  graph::ExecOp exec;
  graph::Mount root;
  root.target = "/";
  root.input = input_index(node, state.root);
  root.output = 0;
  exec.mounts.push_back(std::move(root));

  dockerfile::Command command = run.command;
  std::string summary;
  if (is_heredoc_alone(command)) {
    const dockerfile::Heredoc& body = run.command.heredocs.front();
    const bool script = body.content.starts_with("#!") && state.config.platform.os != "windows";
    command.words = {script ? mount_script(lowering, stage, body, node, exec.mounts) : body.content};
    summary = " (" + first_line(body.content) + ")";
  } else if (!command.heredocs.empty()) {
    command.words = {with_bodies(command)};
  }
  exec.argv = command_line(state, command);
  if (exec.argv.empty()) throw usage_error("RUN []: arguments are required");

  node.op = std::move(exec);
  std::set<std::string> secret_variables;
  lower_mounts(lowering, stage, step, run, node, secret_variables);

  auto& op = std::get<graph::ExecOp>(node.op);
  for (const graph::Mount& mount : op.mounts) note_mount(lowering, stage, step, mount);
  op.cwd = working_directory(state);
  op.user = state.config.user;
  op.network = network_of(lowering.shared.request, run);
  op.security = security_of(run);
  check_entitlements(lowering.shared, op);
  apply_request(lowering, op);
  set_environment(lowering, state, op);
  std::string history = "RUN " + argument_prefix(state) + join(op.argv, " ") + " # buildkit";

  node.platform = stage.platform;
  const std::string text = shown_run_text(lowering, stage, *step.instruction, summary, secret_variables);
  state.root = add_node(lowering, std::move(node), step_info(lowering, stage, step, text));
  append_history(lowering, stage, std::move(history), false);
}

}  // namespace mbuild::frontend::lowering
