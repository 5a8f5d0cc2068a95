#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/heap.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "cli/build_flags.h"
#include "cli/call.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/progress.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/metadata.h"
#include "cli/session.h"
#include "executor/api/option_values.h"
#include "executor/build.h"
#include "frontend/dockerfile/table.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

// The flags as they were typed.
struct BuildFlags {
  std::vector<std::string> legacy;  // names of given flags that mean nothing here
  std::vector<std::string> add_host, allow, annotation, build_arg, build_context, cache_from, cache_to, label,
      no_cache_filter, output, platform, secret, ssh, tag, ulimit, ignored, arch_allow;
  std::string call = "build", cgroup_parent, file, iidfile, metadata_file, network = "default", progress, root,
              shm_size, target, context, arch_check, accel;
  unsigned jobs = 0;
  bool check = false, allow_less_isolation = false, no_cache = false, pull = false, quiet = false, reproducible = false,
       offline = false, help_dockerfile = false, explain = false, push = false, load = false;
};

void add_build_args(const BuildFlags& flags, executor::BuildRequest& request) {
  for (const auto& text : flags.build_arg) {
    const auto equals = text.find('=');
    if (equals == 0 || text.empty())
      throw Error(ExitClass::usage, fmt::format("invalid key-value pair \"{}\": empty key", text));
    if (equals != std::string::npos) {
      request.build_args[text.substr(0, equals)] = text.substr(equals + 1);
    } else if (const char* value = std::getenv(text.c_str())) {
      request.build_args[text] = value;
    }
  }
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) request.build_args.try_emplace("SOURCE_DATE_EPOCH", epoch);
}

const std::string& checked_tag(const std::string& text) {
  try {
    frontend::parse_reference(text);
    return text;
  } catch (Error& error) {
    throw std::move(error).with_context(fmt::format("invalid tag \"{}\"", text));
  }
}

const std::string& checked_arch_check(const std::string& text) {
  static const std::vector<std::string> k_known = {"error", "warn", "off"};
  if (text.empty() || std::ranges::find(k_known, text) != k_known.end()) return text;
  throw Error(ExitClass::usage, fmt::format("invalid --arch-check {}{}", text, did_you_mean(text, k_known)))
      .with_advice("It is error, warn or off.");
}

// An agent that is not told more of is this process's own, if it has one.
executor::SshAgent with_own_agent(executor::SshAgent agent) {
  const auto socket = environment_variable("SSH_AUTH_SOCK");
  if (agent.paths.empty() && !socket.empty()) agent.paths = {socket};
  return agent;
}

executor::BuildRequest request_of(const BuildFlags& flags) {
  executor::BuildRequest request;
  static_cast<executor::SessionRequest&>(request) = session_request(flags.root, flags.allow_less_isolation);
  request.context = flags.context;
  request.dockerfile = flags.file;
  request.target = flags.target;
  std::string platform_text = join(flags.platform, ",");
  if (const char* fallback = std::getenv("DOCKER_DEFAULT_PLATFORM"); platform_text.empty() && fallback != nullptr)
    platform_text = fallback;
  if (!platform_text.empty()) request.platforms = platforms::parse_platform_list(platform_text);
  add_build_args(flags, request);
  for (const auto& text : flags.build_context) request.contexts.push_back(executor::parse_pair(text, "context value"));
  for (const auto& text : flags.label)
    request.labels.push_back(executor::parse_pair(text.find('=') == std::string::npos ? text + "=" : text, "label"));
  for (const auto& text : flags.tag) request.tags.push_back(checked_tag(text));
  for (const auto& text : flags.output) request.outputs.push_back(parse_output(text));
  if (flags.push) request.outputs.push_back(executor::default_output(executor::OutputType::registry));
  if (flags.load) {
    request.outputs.push_back(executor::default_output(executor::OutputType::docker));
    request.outputs.back().load = true;
  }
  for (const auto& text : flags.annotation) {
    for (auto& annotation : image::parse_annotation(text)) request.annotations.push_back(std::move(annotation));
  }
  for (const auto& text : flags.secret) request.secrets.push_back(parse_secret(text));
  for (const auto& text : flags.ssh) request.ssh.push_back(with_own_agent(parse_ssh(text)));
  for (const auto& text : flags.no_cache_filter) {
    for (auto& stage : split(text, ',')) request.no_cache_filter.push_back(std::move(stage));
  }
  if (flags.no_cache && !flags.no_cache_filter.empty()) {
    throw Error(ExitClass::usage, "--no-cache and --no-cache-filter cannot currently be used together");
  }
  request.allow = flags.allow;
  for (const auto& text : flags.cache_from) request.cache_from.push_back(parse_cache(text, executor::CacheUse::read));
  for (const auto& text : flags.cache_to) request.cache_to.push_back(parse_cache(text, executor::CacheUse::write));
  request.no_cache = flags.no_cache;
  request.pull = flags.pull;
  request.explain = flags.explain;
  request.offline = flags.offline;
  request.network = executor::parse_network(flags.network);
  for (const auto& text : flags.add_host) {
    for (auto& host : executor::parse_add_host(text)) request.extra_hosts.push_back(std::move(host));
  }
  for (const auto& text : flags.ulimit) request.ulimits.push_back(executor::parse_ulimit(text));
  if (!flags.shm_size.empty()) request.shm_size = parse_size(flags.shm_size);
  request.cgroup_parent = flags.cgroup_parent;
  request.reproducible = flags.reproducible;
  request.steps_at_once = flags.jobs;
  request.arch_check = checked_arch_check(flags.arch_check);
  request.arch_allow = flags.arch_allow;
  return request;
}

// Flags of docker buildx that are taken, so that its command lines work, and have no effect.
void warn_of_what_is_not_done(const BuildFlags& flags) {
  for (const auto& value : flags.ignored) {
    if (value == "false" || value == "0" || value.starts_with("disabled=true")) continue;
    say("WARNING: attestations are not made: --provenance and --sbom have no effect.\n");
    break;
  }
  for (const auto& name : flags.legacy) {
    if (name != "--rm" && name != "--force-rm" && name != "--builder") {
      say("WARNING: {} has no effect.\n", name);
    }
  }
  if (!flags.cgroup_parent.empty()) say("WARNING: --cgroup-parent has no effect.\n");
}

std::string shown_dockerfile(const BuildFlags& flags) {
  return flags.file.empty() || flags.file == "-" ? "Dockerfile" : base_name(flags.file);
}

// A name that is given to the result is not thrown away with it.
void keep_in_store(executor::BuildRequest& request) {
  request.outputs.push_back(executor::default_output(executor::OutputType::image));
  say("No output is asked for: the image is kept in the store{} (`mbuild images`); --push, --load or -o send it on.\n",
      request.tags.empty() ? "" : " as " + join(request.tags, ", "));
}

int run_build_command(const BuildFlags& flags) {
  use_huge_pages();
  if (flags.help_dockerfile) {
    print("{}", frontend::dockerfile::reference_text());
    return 0;
  }
  if (flags.context.empty()) {
    throw Error(ExitClass::usage, "mbuild build requires exactly 1 argument: the context")
        .with_advice("Often it is \".\", the current directory.");
  }
  executor::BuildRequest request = request_of(flags);
  if (!flags.accel.empty()) request.acceleration = executor::parse_acceleration(flags.accel);
  CancelOnSignal cancel;
  const auto call = parse_call(flags.check ? "check" : flags.call);
  if (call.name != "build") return answer_call(call, request, cancel.token());
  if (flags.offline) throw Error(ExitClass::usage, "--offline goes with --check and --call only");

  warn_of_what_is_not_done(flags);
  auto sink = make_progress(progress_mode(flags.progress, flags.quiet));
  if (request.outputs.empty() && (!request.tags.empty() || !flags.iidfile.empty())) {
    keep_in_store(request);
  } else if (request.outputs.empty()) {
    say("WARNING: no output is asked for: the result stays in the cache. -o type=oci,dest=FILE writes an image.\n");
  }
  executor::BuildResult result;
  const auto finish_display = [&] {
    sink.reset();
    if (request.explain) print_explanations(result);
    print_warnings(result.warnings, shown_dockerfile(flags));
  };
  try {
    executor::run_build(request, *sink, cancel.token(), result);
  } catch (...) {
    finish_display();
    throw;
  }
  finish_display();
  if (!result.image_id.empty() && !flags.iidfile.empty()) write_output(flags.iidfile, result.image_id);
  if (!flags.metadata_file.empty()) {
    write_output(flags.metadata_file, metadata_json(result, shown_dockerfile(flags), &request));
  }
  if (flags.quiet && !result.image_id.empty()) print("{}\n", result.image_id);
  return 0;
}

// Flags of docker build that are still typed, and have no meaning without a daemon.
void add_legacy_options(Command& build, BuildFlags& flags) {
  const auto note = [&flags](const std::string& name) { return [&flags, name] { flags.legacy.push_back(name); }; };
  for (const char* names : {"-m,--memory", "--memory-swap", "-c,--cpu-shares", "--cpu-period", "--cpu-quota",
                            "--cpuset-cpus", "--cpuset-mems", "--isolation", "--security-opt", "--builder"}) {
    build.unused_value(names, note(std::string(names).substr(std::string_view(names).find("--"))));
  }
  for (const char* name : {"--compress", "--squash", "--rm", "--force-rm"}) build.unused_flag(name, note(name));
}

}  // namespace

void add_build_command(Command& top) {
  auto flags = std::make_shared<BuildFlags>();
  Command build = top.add("build", "Build an image from a Dockerfile", "b");
  build.value("context", flags->context, "PATH | URL | -");
  build.value("--accel", flags->accel,
              "How foreign programs are run: safe (native programs stand in where the result is the same), off, or "
              "verify (both ways, which have to agree)");
  build.values("--add-host", flags->add_host, "Add a host-to-address mapping (host:ip)");
  build.values("--allow", flags->allow, "Allow an entitlement (network.host, security.insecure, buildx.local.delete)",
               Presence::optional, ',');
  build.flag("--allow-less-isolation", flags->allow_less_isolation,
             "Run steps where this host refuses them a /proc or a user namespace of their own");
  build.values("--annotation", flags->annotation,
               "Annotation of the image ([TYPE[PLATFORM]:]KEY=VALUE; types manifest, manifest-descriptor, index, "
               "index-descriptor)");
  build.value("--arch-check", flags->arch_check, "What a foreign program in the image is: error, warn or off");
  build.values("--arch-allow", flags->arch_allow, "Paths (glob) that may hold programs of other architectures");
  build.values("--build-arg", flags->build_arg, "Set a build-time variable (NAME=VALUE, or NAME from the environment)");
  build.values("--build-context", flags->build_context, "Additional context (name=path, name=oci-layout://DIR:TAG)");
  build.values("--cache-from", flags->cache_from,
               "Cache of another builder (REF | type=registry,ref=REF | type=local,src=DIR)");
  build.values("--cache-to", flags->cache_to,
               "Where to write a cache (type=registry,ref=REF,mode=max | type=local,dest=DIR | type=inline)");
  build.value("--call", flags->call,
              "What to do: build, check, outline, targets, subrequests.describe; [,format=json]");
  build.flag("--check", flags->check, "Same as --call=check");
  build.value("--cgroup-parent", flags->cgroup_parent, "Control group of RUN steps");
  build.flag("--explain", flags->explain, "Say for each step that ran why it did");
  build.flag("--offline", flags->offline, "With --check or --call: look nothing up, and say what that leaves out");
  build.value("-f,--file", flags->file, "Name of the Dockerfile (default: CONTEXT/Dockerfile), - for standard input");
  build.flag("--help-dockerfile", flags->help_dockerfile, "Print a short reference of the Dockerfile language");
  build.value("--iidfile", flags->iidfile, "Write the image id to a file");
  build.number("--jobs,-j", flags->jobs, "Steps at once (default: 4 a core, at least 32)");
  build.values("--label", flags->label, "Set metadata of the image (KEY=VALUE)");
  build.flag("--load", flags->load, "Hand the image to Docker or Podman (same as --output=type=docker)");
  build.value("--metadata-file", flags->metadata_file, "Write the result's digests as JSON");
  build.value("--network", flags->network, "Network of RUN steps: default, none, host");
  build.flag("--no-cache", flags->no_cache, "Run every step");
  build.values("--no-cache-filter", flags->no_cache_filter, "Run every step of these stages");
  build.values("-o,--output", flags->output, "Where the result goes (type=oci,dest=FILE | type=local,dest=DIR | ...)");
  build.values("--platform", flags->platform, "Target platforms, comma-separated");
  build.value("--progress", flags->progress,
              "auto, plain, tty, quiet, none or rawjson (default: $BUILDKIT_PROGRESS, else auto)");
  build.values("--provenance", flags->ignored, "Accepted; attestations are not made", Presence::hidden);
  build.values("--sbom", flags->ignored, "Accepted; attestations are not made", Presence::hidden);
  build.flag("--pull", flags->pull, "Look up every base image anew");
  build.flag("--push", flags->push, "Same as --output=type=registry");
  build.flag("-q,--quiet", flags->quiet, "Print the image id only");
  build.flag("--reproducible", flags->reproducible,
             "Same inputs, same bytes: clamp times to SOURCE_DATE_EPOCH or the commit");
  add_root_option(build, flags->root);
  build.values("--secret", flags->secret, "Secret for RUN --mount=type=secret (id=x,src=FILE | id=x,env=NAME)");
  build.value("--shm-size", flags->shm_size, "Size of /dev/shm in RUN steps");
  build.values("--ssh", flags->ssh, "SSH agent for RUN --mount=type=ssh (default | id=SOCKET)");
  build.values("-t,--tag", flags->tag, "Name of the image");
  build.value("--target", flags->target, "Stage to build");
  build.values("--ulimit", flags->ulimit, "Limit of RUN steps (nofile=1024:2048)");
  add_legacy_options(build, *flags);
  build.run([flags] { return run_build_command(*flags); });
}

}  // namespace mbuild::cli
