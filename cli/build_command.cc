#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/heap.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "cli/build_flags.h"
#include "cli/call.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/store_root.h"
#include "cli/display/end_report.h"
#include "cli/display/progress.h"
#include "cli/display/terminal.h"
#include "cli/docker_flags.h"
#include "cli/failed_step_shell.h"
#include "cli/metadata.h"
#include "cli/session.h"
#include "cli/told_build.h"
#include "executor/api/compiler_pack.h"
#include "executor/api/option_values.h"
#include "executor/build.h"
#include "frontend/dockerfile/table.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

// The flags as they were typed.
struct BuildFlags {
  DockerFlags docker;
  std::vector<std::string> add_host, allow, annotation, build_arg, build_context, cache_from, cache_to, label,
      no_cache_filter, output, platform, secret, ssh, tag, ulimit, arch_allow, accel_packs;
  std::string call = "build", file, iidfile, metadata_file, network = "default", progress, root, shm_size, target,
              context, arch_check, accel, report, profile, on_failure;
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

// What the configuration says where neither flags nor variables do.
void apply(const BuildConfig& config, const std::string& path, executor::BuildRequest& request) {
  if (request.platforms.empty() && !config.platforms.empty()) {
    request.platforms = platforms::parse_platform_list(join(config.platforms, ","));
  }
  if (request.steps_at_once == 0) request.steps_at_once = config.jobs;
  if (!request.outputs.empty()) return;
  try {
    for (const auto& text : config.outputs) request.outputs.push_back(parse_output(text));
  } catch (Error& error) {
    throw std::move(error).with_context(path + ": build.outputs");
  }
}

// Who names packs wants them used.
void apply_acceleration(const BuildFlags& flags, const EmulationConfig& config, executor::BuildRequest& request) {
  for (const auto& place : flags.accel_packs) executor::check_pack_place(place);
  request.compiler_packs.insert(request.compiler_packs.begin(), flags.accel_packs.begin(), flags.accel_packs.end());
  if (!flags.accel.empty()) {
    request.acceleration = executor::parse_acceleration(flags.accel);
  } else if (!flags.accel_packs.empty() && config.accel.empty()) {
    request.acceleration = executor::Acceleration::compilers;
  }
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
  request.cgroup_parent = flags.docker.cgroup_parent;
  request.reproducible = flags.reproducible;
  request.steps_at_once = flags.jobs;
  request.arch_check = checked_arch_check(flags.arch_check);
  request.arch_allow = flags.arch_allow;
  return request;
}

// buildx evaluates it unasked.
void warn_of_policy(const BuildFlags& flags) {
  const auto policy = (flags.file.empty() ? join_path(flags.context, "Dockerfile") : flags.file) + ".rego";
  if (flags.docker.policy.empty() && path_exists(policy)) say("WARNING: {} is not evaluated.\n", policy);
}

// What becomes of a result for which no output is asked for: one that was given a name is not thrown away with it.
void choose_output(const BuildFlags& flags, executor::BuildRequest& request, const std::stop_token& stop) {
  if (!request.outputs.empty()) return;
  if (is_behind_docker(request, stop) && load_as_docker_does(request)) return;
  const bool kept = !request.tags.empty() || !flags.iidfile.empty();
  if (kept) request.outputs.push_back(executor::default_output(executor::OutputType::image));
  if (progress_mode(flags.progress, flags.quiet) == ProgressMode::json) return;
  if (kept) {
    say("No output is asked for: the image is kept in the store{} (`mbuild images`); --push, --load or -o send it "
        "on.\n",
        request.tags.empty() ? "" : " as " + join(request.tags, ", "));
  } else {
    say("WARNING: no output is asked for: the result stays in the cache. -o type=oci,dest=FILE writes an image.\n");
  }
}

// A file that names the image of an earlier build, which this one may not replace.
void remove_stale(const std::string& file) {
  struct stat status;
  if (file.empty() || ::lstat(file.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) return;
  if (::unlink(file.c_str()) < 0) throw system_error(errno, "remove " + file, ExitClass::usage);
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
  check_docker_flags(flags.docker);
  executor::BuildRequest request = request_of(flags);
  const Config config = load_config();
  apply_acceleration(flags, config.emulation, request);
  apply(config.build, config.path, request);
  const bool opens_shell =
      opens_shell_on_failure(flags.on_failure.empty() ? config.build.on_failure : flags.on_failure);
  std::optional<CancelOnSignal> cancel(std::in_place);
  const auto call = parse_call(flags.check ? "check" : flags.call);
  if (call.name != "build") return answer_call(call, request, cancel->token());
  if (flags.offline) throw Error(ExitClass::usage, "--offline goes with --check and --call only");

  say_what_is_not_done(flags.docker);
  warn_of_policy(flags);
  choose_output(flags, request, cancel->token());
  remove_stale(flags.iidfile);
  executor::BuildResult result;
  const ToldBuild told{
      .mode = progress_mode(flags.progress, flags.quiet),
      .explain = flags.explain,
      .opens_shell = opens_shell && has_terminal(),
      .record = record_request(request, flags.report, flags.profile),
      .build = [&](auto& sink) { executor::run_build(request, sink, cancel->token(), result); },
      .targets = [&] { return std::vector<TargetResult>{{request, result}}; },
  };
  if (const int status = run_and_tell(told)) {
    cancel.reset();  // the shell's keys are its own
    if (told.opens_shell && !result.failed_step.empty()) {
      visit_after_build(request, request, result.failed_step);
    }
    return status;
  }
  if (!result.image_id.empty() && !flags.iidfile.empty()) write_output(flags.iidfile, result.image_id);
  if (!flags.metadata_file.empty()) {
    write_output(flags.metadata_file, metadata_json(result, shown_dockerfile(request), &request));
  }
  if (flags.quiet && !result.image_id.empty()) print("{}\n", result.image_id);
  return 0;
}

}  // namespace

void add_build_command(Command& top) {
  auto flags = std::make_shared<BuildFlags>();
  Command build = top.add("build", "Build an image from a Dockerfile", "b");
  build.examples(
      {{"mbuild build -t app --load .", "Hand an image for this machine to Docker or Podman."},
       {"mbuild build --platform linux/amd64,linux/arm64 -t HOST/app --push .", "Push an image for two platforms."},
       {"mbuild build -o out --target binaries .", "Write the files of a stage to a directory."}});
  build.value("context=PATH|URL|-", flags->context, "Directory, git or archive address, or - for standard input");

  build.group("Most used");
  build.values("-t,--tag=NAME", flags->tag, "Name of the image");
  build.values("--platform=LIST", flags->platform, "Target platforms, comma-separated");
  build.value("-f,--file=PATH", flags->file, "The Dockerfile (default: CONTEXT/Dockerfile), - for standard input");
  build.values("--build-arg=K[=V]", flags->build_arg, "Set a build-time variable, or take it from the environment");
  build.value("--target=STAGE", flags->target, "Stage to build");
  build.flag("--push", flags->push, "Push to a registry (same as --output=type=registry)");
  build.flag("--load", flags->load, "Hand the image to Docker or Podman (same as --output=type=docker)");
  build.values("-o,--output=DEST", flags->output, "Where the result goes: DIR, type=oci,dest=FILE, ...");
  build.flag("--no-cache", flags->no_cache, "Run every step");
  build.values("--secret=SPEC", flags->secret, "For RUN --mount=type=secret: id=x,src=FILE or id=x,env=NAME");

  build.group("What is built");
  build.values("--build-context=NAME=V", flags->build_context, "Another context: NAME=PATH, NAME=oci-layout://DIR:TAG");
  build.values("--label=K=V", flags->label, "Set metadata of the image");
  build.values("--annotation=K=V", flags->annotation,
               "Annotation: [TYPE[PLATFORM]:]KEY=VALUE; types are manifest, manifest-descriptor, index and "
               "index-descriptor");
  build.flag("--pull", flags->pull, "Look up every base image anew");
  build.flag("--reproducible", flags->reproducible,
             "Same inputs, same bytes: clamp times to SOURCE_DATE_EPOCH or the commit");
  build.value("--arch-check=WHAT", flags->arch_check, "What a foreign program in the image is: error, warn or off");
  build.values("--arch-allow=GLOB", flags->arch_allow, "Paths that may hold programs of other architectures");

  build.group("Caches");
  build.values("--no-cache-filter=STAGE", flags->no_cache_filter, "Run every step of these stages");
  build.values("--cache-from=CACHE", flags->cache_from,
               "Cache of another builder: REF, type=registry,ref=REF or type=local,src=DIR");
  build.values("--cache-to=CACHE", flags->cache_to,
               "Where to write one: type=registry,ref=REF,mode=max, type=local,dest=DIR or type=inline");
  add_root_option(build, flags->root);

  build.group("How steps run");
  build.number("-j,--jobs=N", flags->jobs, "Steps at once (default: 4 a core, at least 32)");
  build.value("--accel=HOW", flags->accel,
              "Foreign programs: safe (native ones stand in where the result is the same), compilers (cross compilers, "
              "too), off, or verify (both ways, which have to agree)");
  build.values("--accel-packs=PLACE", flags->accel_packs,
               "Where compiler packs are: HOST/NAME, or the directory of an OCI layout (see mbuild accel)");
  build.value("--on-failure=WHAT", flags->on_failure,
              "shell: where a RUN fails, open a shell in it as it was then; stop (the default)");
  build.value("--network=MODE", flags->network, "default, none or host");
  build.values("--add-host=HOST:IP", flags->add_host, "Add a host to /etc/hosts");
  build.values("--allow=WHAT", flags->allow, "Allow network.host, security.insecure or buildx.local.delete",
               Presence::optional, ',');
  build.flag("--allow-less-isolation", flags->allow_less_isolation,
             "Run steps where this host refuses them a /proc or a user namespace of their own");
  build.values("--ssh=SPEC", flags->ssh, "For RUN --mount=type=ssh: default or id=SOCKET");
  build.value("--shm-size=SIZE", flags->shm_size, "Size of /dev/shm");
  build.values("--ulimit=LIMIT", flags->ulimit, "Limit of processes: nofile=1024:2048");

  build.group("What is told");
  build.value("--progress=MODE", flags->progress,
              "auto, plain, tty, quiet, none or rawjson (default: $BUILDKIT_PROGRESS, else auto)");
  build.flag("-q,--quiet", flags->quiet, "Print the image id only");
  build.flag("--explain", flags->explain, "Say for each step that ran why it did");
  build.value("--report=FILE", flags->report, "Write a page (HTML) with all steps, their logs, layers and times");
  build.value("--profile=FILE", flags->profile, "Write the times of all steps as a Chrome trace");
  build.value("--iidfile=FILE", flags->iidfile, "Write the image id to a file");
  build.value("--metadata-file=FILE", flags->metadata_file, "Write the result's digests as JSON");
  build.flag("--check", flags->check, "Check the Dockerfile and build nothing (same as --call=check)");
  build.value("--call=WHAT", flags->call, "build, check, outline, targets, subrequests.describe; [,format=json]");
  build.value("--print=WHAT", flags->call, "Same as --call", Presence::hidden);
  build.flag("--offline", flags->offline, "With --check or --call: look nothing up, and say what that leaves out");
  build.flag("--help-dockerfile", flags->help_dockerfile, "Print a short reference of the Dockerfile language");
  add_docker_flags(build, flags->docker);
  build.run([flags] { return run_build_command(*flags); });
}

}  // namespace mbuild::cli
