#include "executor/build.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/feature.h"
#include "base/parallel.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "executor/api/source_policy.h"
#include "executor/collect.h"
#include "executor/full_disk.h"
#include "executor/outputs/cache_export.h"
#include "executor/outputs/export.h"
#include "executor/sources/inputs.h"
#include "executor/sources/remote_context.h"
#include "executor/sources/retry_log.h"
#include "executor/sources/transfer_log.h"
#include "executor/steps/explain.h"
#include "executor/steps/scheduler.h"
#include "executor/steps/steps.h"
#include "planner/plan.h"

extern char** environ;

namespace mbuild::executor {
namespace {

// The directory of a build is removed by the inner process, where there is one: some files in it are not the user's.
class Cleaner {
 public:
  Cleaner(const cache::Store& store, const cache::BuildDirectory& directory, LazyInner& inner)
      : directory_(directory), inner_(inner), abandoned_(cache::abandoned_build_directories(store)) {}
  ~Cleaner() {
    try {
      if (inner_.started() || !abandoned_.empty()) {
        abandoned_.push_back(directory_.path());
        jobs::remove(inner_.get(), abandoned_, {});
      } else {
        std::filesystem::remove_all(directory_.path());
      }
    } catch (const std::exception&) {
      // The next build sweeps it.
    }
  }
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  void remove_later(std::string path) {
    const std::lock_guard guard(mutex_);
    abandoned_.push_back(std::move(path));
  }

 private:
  const cache::BuildDirectory& directory_;
  LazyInner& inner_;
  std::mutex mutex_;
  std::vector<std::string> abandoned_;
};

// After a build that added rows, a detached child makes them durable and keeps the store within its bounds: the one
// thing that outlives a build.
void start_upkeep(const std::string& root) {
  if (feature_disabled("upkeep")) return;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  std::array<std::string, 3> words = {"mbuild", k_upkeep_argument, root};
  std::array<char*, 4> argv = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = -1;
  posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(),
              environ);  // a failure costs a rebuild after a power cut
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
}

bool is_local_value(const std::string& value) {
  return value.find("://") == std::string::npos && !value.starts_with("target:") && !value.starts_with("git@");
}

frontend::Request frontend_request(const BuildRequest& request, const Inputs& inputs, Contexts& contexts,
                                   ImageSources& images, const std::string& scratch, std::stop_token stop,
                                   std::vector<frontend::dockerfile::Warning>& warnings) {
  frontend::Request out;
  out.dockerfile = frontend::dockerfile::parse_dockerfile(inputs.dockerfile_text, inputs.dockerfile_name, &warnings);
  out.target = request.target;
  out.platforms = request.platforms;
  out.implicit_platform = request.platforms.empty();
  if (out.platforms.empty()) out.platforms = {platforms::host_platform()};
  out.build_platform = platforms::host_platform();
  out.build_args = request.build_args;
  out.contexts = request.contexts;
  out.labels = request.labels;
  out.no_cache = request.no_cache;
  out.no_cache_filter = request.no_cache_filter;
  out.network = request.network;
  out.extra_hosts = request.extra_hosts;
  out.ulimits = request.ulimits;
  out.shm_size = request.shm_size;
  out.cgroup_parent = request.cgroup_parent;
  for (const auto& name : request.allow) {
    if (name == "network.host") {
      out.allow_network_host = true;
    } else if (name == "security.insecure") {
      out.allow_security_insecure = true;
    } else if (name != "buildx.local.delete") {
      throw Error(ExitClass::usage, fmt::format("invalid entitlement \"{}\"", name))
          .with_advice("--allow takes network.host, security.insecure and buildx.local.delete.");
    }
  }
  if (request.network == graph::NetworkMode::host) out.allow_network_host = true;
  out.multi_platform = out.platforms.size() > 1;
  out.resolve = [&images](const std::vector<frontend::ImageQuery>& queries) { return images.resolve(queries); };
  out.context_time = inputs.context_time;
  out.source_time = [&request, scratch, stop, known = std::map<std::string, std::optional<std::int64_t>>()](
                        const graph::SourceOp& source) mutable {
    graph::Node node;
    node.op = source;
    const auto [found, is_new] = known.try_emplace(graph::canonical_parameters(node));
    if (is_new) found->second = time_of_source(request, source, scratch, stop);
    return found->second;
  };
  out.read_file = [&inputs, &contexts](const std::string& context,
                                       const std::string& path) -> std::optional<std::string> {
    if (context == "context" && path == ".dockerignore") {
      if (inputs.ignore_text) return inputs.ignore_text;
      if (!inputs.context_ignored) return std::nullopt;
    }
    return contexts.read_file(context, path);
  };
  return out;
}

void open_contexts(const BuildRequest& request, const Inputs& inputs, Contexts& contexts) {
  contexts.add("context", inputs.context_directory);
  for (const auto& [name, value] : request.contexts) {
    if (is_local_value(value)) contexts.add_when_used(name, value);
  }
}

// The time that --reproducible clamps to: SOURCE_DATE_EPOCH, else the commit of the context, else 0.
std::optional<std::int64_t> epoch_of(const BuildRequest& request, const frontend::Lowered& lowered,
                                     const Inputs& inputs) {
  if (lowered.source_date_epoch || !request.reproducible) return lowered.source_date_epoch;
  std::int64_t seconds = 0;
  if (!find_program("git").empty()) {
    // The configuration of a repository can name programs: none of them is run.
    const auto git = run_program({"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C",
                                  inputs.context_directory, "log", "-1", "--no-show-signature", "--format=%ct"});
    const auto text = trim(git.output);
    if (git.status == 0) std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return seconds;
}

SchedulerLimits limits_of(const BuildRequest& request) {
  const unsigned cores = core_count();
  const unsigned jobs = request.jobs > 0 ? request.jobs : std::max(32U, 4 * cores);
  return {.jobs = jobs, .emulated_jobs = std::min(jobs, 2 * cores)};
}

// Runs what prepares the build as a vertex of the display.
template <class Work>
auto as_vertex(ProgressSink& sink, VertexId id, const std::string& name, const Work& work) {
  Vertex vertex(sink, {.id = id, .name = "[internal] " + name});
  try {
    auto result = work();
    vertex.complete();
    return result;
  } catch (const Error& error) {
    vertex.fail(error.what());
    throw;
  }
}

Inputs read_inputs_reporting(const BuildRequest& request, const std::string& scratch, ProgressSink& sink,
                             const std::stop_token& stop) {
  const auto read = [&] { return read_inputs(request, scratch, stop); };
  if (!is_remote_context(request)) return read();
  return as_vertex(sink, k_context_vertex, "load remote build context " + request.context, read);
}

// What steps read is kept for the question why they run the next time, of a build that fails too.
void note_inputs(const BuildRequest& request, const Inputs& inputs, const planner::Plan& plan, cache::Store& store,
                 Steps& steps, BuildResult& result) {
  try {
    const SeenBuild seen{.request = request,
                         .dockerfile = inputs.dockerfile_name,
                         .plan = plan,
                         .table = steps.parts().table,
                         .reads = steps.parts().reads,
                         .store = store};
    if (request.explain) {
      result.explanations = explain_steps(seen);
    } else {
      remember_steps(seen);
    }
  } catch (const Error&) {
    // The next build knows less.
  }
  result.steps_run = steps.steps_run();
  result.steps_cached = steps.steps_cached();
}

frontend::Lowered lower_reporting(const frontend::Request& request, ProgressSink& sink,
                                  std::vector<frontend::dockerfile::Warning>& warnings) {
  return as_vertex(sink, k_definition_vertex, "load build definition from " + request.dockerfile.name,
                   [&] { return frontend::lower(request, &warnings); });
}

// What can't be read without the network is an error where nothing may be looked up.
const BuildRequest& offline_checked(const BuildRequest& request) {
  if (!request.offline) return request;
  const bool is_address = request.dockerfile.starts_with("http://") || request.dockerfile.starts_with("https://");
  if (!is_address && !is_remote_context(request)) return request;
  throw Error(ExitClass::usage, fmt::format("--offline looks nothing up, and {} is an address",
                                            is_address ? "the Dockerfile" : "the context"))
      .with_advice("Name a directory, or leave --offline out.");
}

// What a call that builds nothing needs to ask the frontend.
struct Question {
  Question(const BuildRequest& build_request, std::stop_token stop_token)
      : asked(build_request),
        stop(std::move(stop_token)),
        store(asked.store_root, std::string(digest_hex(compute_id_map().digest()).substr(0, 16))),
        directory(store),
        images(store,
               {.registries = asked.registries,
                .on_retry = {},
                .on_transfer = {},
                .on_mirror = {},
                .stored = !asked.pull,
                .policy = asked.source_policy},
               stop),
        contexts(store, {}),
        inputs(read_inputs(offline_checked(asked), directory.path(), stop)) {
    open_contexts(asked, inputs, contexts);
  }
  ~Question() {
    std::error_code ignored;  // the next build sweeps what stays
    std::filesystem::remove_all(directory.path(), ignored);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  frontend::Request request(std::vector<frontend::dockerfile::Warning>& warnings) {
    auto out = frontend_request(asked, inputs, contexts, images, directory.path(), stop, warnings);
    if (!asked.offline) return out;
    out.resolve = [this](const std::vector<frontend::ImageQuery>& queries) -> std::vector<frontend::ResolvedImage> {
      for (const auto& query : queries) left_out.insert(query.reference);
      return {};
    };
    out.source_time = [this](const graph::SourceOp& source) -> std::optional<std::int64_t> {
      left_out.insert(source.identifier);
      return std::nullopt;
    };
    return out;
  }

  const BuildRequest& asked;
  std::stop_token stop;
  cache::Store store;
  cache::BuildDirectory directory;
  ImageSources images;
  Contexts contexts;
  Inputs inputs;
  std::set<std::string> left_out;  // what was to be looked up, and was not
};

}  // namespace

namespace {

// An image that is labelled as one platform and made of another's base: told whatever becomes of the image.
void check_bases(const ExportEnvironment& environment) {
  const auto& request = environment.request;
  if (request.arch_check == "off") return;
  for (const auto& image : environment.lowered.images) {
    if (!image.foreign_base) continue;
    const auto& warning = *image.foreign_base;
    if (request.arch_check == "error") {
      throw Error(ExitClass::step_failed, warning.message)
          .with_context("image for " + platforms::to_string(image.platform))
          .with_excerpt(frontend::dockerfile::excerpt(environment.dockerfile, warning.range))
          .with_advice(
              "Leave out --platform in this FROM, so that the base is of the image's platform, or build for the base's "
              "platform; --arch-check=warn builds it all the same.");
    }
    const auto is_known = [&](const auto& other) {
      return other.rule == warning.rule && other.message == warning.message;
    };
    if (!std::ranges::any_of(environment.result.warnings, is_known)) environment.result.warnings.push_back(warning);
  }
}

// False when a promise of an imported cache was broken: all is to be looked up again, without it.
bool run_and_export(const planner::Plan& plan, const ExportEnvironment& environment, ImportedCaches& imports,
                    std::stop_token stop) {
  auto& steps = environment.steps;
  environment.result.descriptor = {};
  environment.result.images.clear();
  try {
    if (!plan.order.empty()) {
      run_plan(
          plan, limits_of(environment.request), [&](graph::NodeId id) { return steps.is_emulated(id); },
          [&](graph::NodeId id, std::stop_token step_stop) { steps.run(id, std::move(step_stop)); }, stop);
    }
    export_images(environment, stop);
    crash_point("image-written");
    export_caches(environment, stop);
    return true;
  } catch (const PromiseBroken& broken) {
    imports.drop(broken.result);
    steps.start_over();
    return false;
  }
}

// Removes what turned out to be damaged in the store, so that it is a miss; true when there was something. Only of a
// failure that can come of it is it looked for: that means to read all that the build has used.
bool repair(cache::Store& store, const Error& error, BuildResult& result) {
  const auto tell = [&](std::string text) {
    result.warnings.push_back({.rule = "DamagedStore", .message = std::move(text)});
  };
  if (store.index_is_damaged()) {
    store.replace_index();
    tell("the index of the store was damaged: it was set aside (index.db.damaged-*), and all is made anew");
    return true;
  }
  if (error.exit_class != ExitClass::store && error.exit_class != ExitClass::network) return false;
  const auto count = store.remove_damaged_blobs();
  if (count > 0)
    tell(fmt::format("{} in the store had been damaged and {} made anew", count == 1 ? "a blob" : "blobs",
                     count == 1 ? "is" : "are"));
  return count > 0;
}

// Does `work`, and does it again where what it failed for could be put right. `lost` says so of what `work` has to
// know of.
template <class Work, class Lost = decltype([] { return false; })>
auto with_repairs(cache::Store& store, BuildResult& result, const Work& work, const Lost& lost = {}) {
  constexpr int k_at_most = 3;
  for (int repairs = 0;; ++repairs) {
    try {
      return work();
    } catch (const Error& error) {
      if (is_out_of_space(error)) throw;
      const bool repaired = repair(store, error, result);
      if ((!lost() && !repaired) || repairs == k_at_most) throw;
    }
  }
}

// True when it added something that upkeep has work with. `full`: the disk, if that is why it failed.
bool build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result,
           std::optional<FileSystemSpace>& full) {
  check_outputs(request);
  check_caches(request);
  check_secrets(request);
  const IdMap map = compute_id_map();
  const std::string map_name(digest_hex(map.digest()));
  cache::Store store(request.store_root, map_name.substr(0, 16));
  const cache::BuildDirectory directory(store);
  LazyInner inner(map);
  std::mutex warnings_lock;
  const auto warn = [&](const char* rule) {
    return [&, rule](std::string text) {
      const std::lock_guard lock(warnings_lock);
      result.warnings.push_back({.rule = rule, .message = std::move(text)});
    };
  };
  BuildNetwork network([&]() -> Inner& { return inner.get(); }, warn("HostNetwork"), stop);
  Cleaner cleaner(store, directory, inner);
  RetryLog retries(sink);
  MirrorLog mirrors(sink);
  TransferLog transfers(sink);
  ImageSources images(store,
                      {.registries = registries_of(request),
                       .on_retry = std::ref(retries),
                       .on_transfer = std::ref(transfers),
                       .on_mirror = std::ref(mirrors),
                       .stored = !request.pull,
                       .policy = request.source_policy},
                      stop);
  Contexts contexts(store, [&](int root, const std::vector<std::string>& ignore, const graph::FileAction& action) {
    auto reply = jobs::select_files(inner.get(), {ignore, action, duplicate(root)}, stop);
    return std::pair(std::move(reply.selection), std::move(reply.digest));
  });
  if (request.source_policy) check_local_source(*request.source_policy, "dockerfile");
  const Inputs inputs = read_inputs_reporting(request, directory.path(), sink, stop);
  result.dockerfile = sha256(inputs.dockerfile_text);
  open_contexts(request, inputs, contexts);

  frontend::Request front =
      frontend_request(request, inputs, contexts, images, directory.path(), stop, result.warnings);
  front.note = [&](const std::string& text) {
    sink.log({.id = k_definition_vertex, .stream = 2, .data = text + "\n", .time = std::chrono::steady_clock::now()});
  };
  frontend::Lowered lowered =
      with_repairs(store, result, [&] { return lower_reporting(front, sink, result.warnings); });
  if (request.source_policy) apply_source_policy(*request.source_policy, lowered.graph);
  std::vector<graph::Ref> roots;
  for (const auto& image : lowered.images) {
    if (image.root) roots.push_back(*image.root);
  }
  const auto plan = with_repairs(store, result, [&] {
    return planner::make_plan(lowered.graph, roots, [&](const Digest& key) { return store.expected_duration_ms(key); });
  });

  const auto excerpt = [&](graph::NodeId id) {
    const auto& info = lowered.graph.info[id].front();
    if (info.first_line == 0) return std::string();
    return frontend::dockerfile::excerpt(front.dockerfile, {info.first_line, info.last_line});
  };
  ImportedCaches imports(request, images, front.platforms, warn("CacheImport"), stop);
  Steps steps({.graph = lowered.graph,
               .plan = plan,
               .request = request,
               .store = store,
               .directory = directory,
               .images = images,
               .imports = imports,
               .contexts = contexts,
               .inner = inner,
               .network = network,
               .sink = sink,
               .excerpt = excerpt,
               .warn_of_isolation = warn("LessIsolation"),
               .remove_later = [&](std::string path) { cleaner.remove_later(std::move(path)); }});
  const ExportEnvironment exporting{.request = request,
                                    .dockerfile = front.dockerfile,
                                    .lowered = lowered,
                                    .store = store,
                                    .directory = directory,
                                    .images = images,
                                    .inner = inner,
                                    .steps = steps,
                                    .sink = sink,
                                    .result = result,
                                    .excerpt = excerpt,
                                    .epoch = epoch_of(request, lowered, inputs)};
  check_bases(exporting);
  bool again = false;
  const auto run = [&] {
    if (std::exchange(again, true)) steps.start_over();
    while (!run_and_export(plan, exporting, imports, stop)) {
    }
  };
  try {
    with_repairs(store, result, run, [&] { return steps.parts().layers.forget_lost(); });
  } catch (const Error& error) {
    full = full_disk_at(error, request.store_root);
    note_inputs(request, inputs, plan, store, steps, result);
    throw;
  } catch (...) {
    network.end();
    note_inputs(request, inputs, plan, store, steps, result);
    throw;
  }
  network.end();
  note_inputs(request, inputs, plan, store, steps, result);
  if (store.index_is_damaged()) store.replace_index();
  return store.has_volatile_rows();
}

}  // namespace

void run_build(const BuildRequest& request, ProgressSink& sink, std::stop_token stop, BuildResult& result) {
  std::optional<FileSystemSpace> full;
  try {
    // Only now that the build's lock has gone: while it is held, nothing that the build used may be removed.
    if (build(request, sink, std::move(stop), result, full)) start_upkeep(request.store_root);
  } catch (Error& error) {
    if (!full && is_out_of_space(error)) full = full_disk_at(error, request.store_root);
    if (full) explain_full_disk(error, *full, request.store_root);
    throw;
  }
}

CheckResult run_check(const BuildRequest& request, std::stop_token stop) {
  CheckResult result;
  Question question(request, stop);
  result.dockerfile_name = question.inputs.dockerfile_name;
  result.dockerfile_text = question.inputs.dockerfile_text;
  try {
    const auto checked = frontend::check(question.request(result.warnings));
    result.warnings = checked.warnings;
    if (checked.error) result.error = checked.error->what();
  } catch (const Error& error) {
    result.error = error.what();  // the Dockerfile could not be parsed
  }
  result.left_out.assign(question.left_out.begin(), question.left_out.end());
  return result;
}

Described run_outline(const BuildRequest& request, std::stop_token stop) {
  Question question(request, stop);
  std::vector<frontend::dockerfile::Warning> warnings;
  auto outline = frontend::outline(question.request(warnings));
  return {
      question.inputs.dockerfile_text, std::move(outline), {}, {question.left_out.begin(), question.left_out.end()}};
}

Described run_targets(const BuildRequest& request, std::stop_token stop) {
  Question question(request, stop);
  std::vector<frontend::dockerfile::Warning> warnings;
  return {question.inputs.dockerfile_text, {}, frontend::targets(question.request(warnings).dockerfile), {}};
}

}  // namespace mbuild::executor
