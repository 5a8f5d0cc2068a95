#include "history/record.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::history {
namespace {

using Json = nlohmann::ordered_json;
using executor::VertexState;

constexpr int k_version = 1;

constexpr std::pair<VertexState, const char*> k_states[] = {{VertexState::started, "started"},
                                                            {VertexState::cached, "cached"},
                                                            {VertexState::completed, "completed"},
                                                            {VertexState::failed, "failed"},
                                                            {VertexState::cancelled, "cancelled"}};

const char* name_of(VertexState state) {
  for (const auto& [known, name] : k_states) {
    if (known == state) return name;
  }
  return "started";
}

VertexState state_of(std::string_view text) {
  for (const auto& [state, name] : k_states) {
    if (text == name) return state;
  }
  return VertexState::started;
}

std::string line_of(const char* kind, Json value) {
  Json line;
  line[kind] = std::move(value);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Members that say nothing are left out.
template <class T>
void put(Json& object, const char* name, const T& value) {
  if (value != T{}) object[name] = value;
}

template <class T>
void get(const Json& object, const char* name, T& into) {
  if (const auto found = object.find(name); found != object.end()) found->get_to(into);
}

Json json_of(const Target& target) {
  Json object = Json::object();
  put(object, "name", target.name);
  put(object, "context", target.context);
  put(object, "dockerfile", target.dockerfile);
  put(object, "stage", target.stage);
  put(object, "platforms", target.platforms);
  put(object, "tags", target.tags);
  put(object, "outputs", target.outputs);
  put(object, "audit", target.audit);
  return object;
}

Target target_in(const Json& object) {
  Target target;
  get(object, "name", target.name);
  get(object, "context", target.context);
  get(object, "dockerfile", target.dockerfile);
  get(object, "stage", target.stage);
  get(object, "platforms", target.platforms);
  get(object, "tags", target.tags);
  get(object, "outputs", target.outputs);
  get(object, "audit", target.audit);
  return target;
}

Json json_of(const Layer& layer) {
  Json object = {{"digest", layer.digest}, {"bytes", layer.bytes}};
  put(object, "madeBy", layer.made_by);
  put(object, "line", layer.line);
  return object;
}

Json json_of(const Image& image) {
  Json object = {{"platform", image.platform}, {"manifest", image.manifest}, {"bytes", image.bytes}};
  for (const auto& layer : image.layers) object["layers"].push_back(json_of(layer));
  return object;
}

Image image_in(const Json& object) {
  Image image;
  get(object, "platform", image.platform);
  get(object, "manifest", image.manifest);
  get(object, "bytes", image.bytes);
  for (const auto& one : object.value("layers", Json::array())) {
    auto& layer = image.layers.emplace_back();
    get(one, "digest", layer.digest);
    get(one, "bytes", layer.bytes);
    get(one, "madeBy", layer.made_by);
    get(one, "line", layer.line);
  }
  return image;
}

Json json_of(const Outcome& outcome) {
  Json object = {{"stepsRun", outcome.steps_run}, {"stepsCached", outcome.steps_cached}};
  put(object, "digest", outcome.digest);
  put(object, "error", outcome.error);
  put(object, "names", outcome.names);
  for (const auto& image : outcome.images) object["images"].push_back(json_of(image));
  for (const auto& warning : outcome.warnings) {
    Json one = {{"message", warning.message}};
    put(one, "rule", warning.rule);
    put(one, "line", warning.line);
    object["warnings"].push_back(std::move(one));
  }
  put(object, "emulatedSteps", outcome.emulated_steps);
  put(object, "emulatedPrograms", outcome.emulated_programs);
  put(object, "nativePrograms", outcome.native_programs);
  put(object, "emulatedMilliseconds", outcome.emulated_ms);
  return object;
}

Outcome outcome_in(const Json& object) {
  Outcome outcome;
  get(object, "digest", outcome.digest);
  get(object, "error", outcome.error);
  get(object, "names", outcome.names);
  get(object, "stepsRun", outcome.steps_run);
  get(object, "stepsCached", outcome.steps_cached);
  get(object, "emulatedSteps", outcome.emulated_steps);
  get(object, "emulatedPrograms", outcome.emulated_programs);
  get(object, "nativePrograms", outcome.native_programs);
  get(object, "emulatedMilliseconds", outcome.emulated_ms);
  for (const auto& one : object.value("images", Json::array())) outcome.images.push_back(image_in(one));
  for (const auto& one : object.value("warnings", Json::array())) {
    auto& warning = outcome.warnings.emplace_back();
    get(one, "rule", warning.rule);
    get(one, "message", warning.message);
    get(one, "line", warning.line);
  }
  return outcome;
}

Beginning beginning_in(const Json& object, const std::string& path) {
  if (object.value("version", 0) != k_version) {
    throw Error(ExitClass::store, fmt::format("{} is of another version of mbuild", path))
        .with_advice("mbuild history rm --all removes the records of past builds.");
  }
  Beginning beginning;
  get(object, "id", beginning.id);
  get(object, "program", beginning.program);
  get(object, "started", beginning.started);
  get(object, "command", beginning.command);
  get(object, "directory", beginning.directory);
  for (const auto& one : object.value("targets", Json::array())) beginning.targets.push_back(target_in(one));
  return beginning;
}

End end_in(const Json& object) {
  End end;
  get(object, "time", end.time);
  get(object, "cancelled", end.cancelled);
  if (const auto found = object.find("failure"); found != object.end()) {
    end.failure.emplace();
    get(*found, "message", end.failure->message);
    get(*found, "advice", end.failure->advice);
    get(*found, "excerpt", end.failure->excerpt);
    get(*found, "status", end.failure->status);
  }
  for (const auto& one : object.value("outcomes", Json::array())) end.outcomes.push_back(outcome_in(one));
  return end;
}

// Puts lines together again: a step has one for its beginning and one for its end.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  void read(const Json& line) {
    if (!line.is_object() || line.size() != 1)
      throw Error(ExitClass::store, fmt::format("{} is no record of a build", path_));
    const std::string kind = line.begin().key();
    const auto& value = line.begin().value();
    if (kind == "build") record_.beginning = beginning_in(value, path_);
    if (kind == "step") read_step(value);
    if (kind == "log") read_log(value);
    if (kind == "part") read_part(value);
    if (kind == "logLeftOut") record_.log_left_out += value.get<std::size_t>();
    if (kind == "end") record_.end = end_in(value);
  }

  Record take() {
    if (record_.beginning.id.empty()) throw Error(ExitClass::store, fmt::format("{} is no record of a build", path_));
    return std::move(record_);
  }

 private:
  void read_step(const Json& object) {
    const auto id = object.at("id").get<executor::VertexId>();
    const auto state = state_of(object.value("state", ""));
    const auto time = object.value("time", Time{0});
    if (object.contains("name")) {
      running_[id] = record_.steps.size();
      auto& step = record_.steps.emplace_back();
      step.id = id;
      step.started = time;
      get(object, "name", step.name);
      get(object, "platform", step.platform);
      get(object, "needs", step.needs);
      get(object, "inputs", step.inputs);
      get(object, "emulated", step.emulated);
      get(object, "planned", step.planned);
      get(object, "line", step.line);
    }
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    auto& step = record_.steps[found->second];
    step.state = state;
    get(object, "error", step.error);
    get(object, "programs", step.programs);
    get(object, "native", step.native);
    if (state != VertexState::started) step.ended = time;
  }

  void read_log(const Json& object) {
    auto& piece = record_.log.emplace_back();
    get(object, "step", piece.step);
    get(object, "stream", piece.stream);
    get(object, "time", piece.time);
    get(object, "text", piece.text);
  }

  void read_part(const Json& object) {
    auto& part = record_.parts.emplace_back();
    get(object, "step", part.step);
    get(object, "name", part.name);
    get(object, "bytes", part.bytes);
    get(object, "total", part.total);
    get(object, "time", part.time);
  }

  const std::string& path_;
  Record record_;
  std::map<executor::VertexId, std::size_t> running_;
};

// Reads the lines that `wanted` wants; the end of a line is needed for it to be one.
template <class Wanted>
Record read(std::string_view text, const std::string& path, const Wanted& wanted) {
  Reader reader(path);
  try {
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      const auto line = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (wanted(line)) reader.read(Json::parse(line));
    }
  } catch (const Json::exception& error) {
    throw Error(ExitClass::store, fmt::format("{} is no record of a build: {}", path, error.what()));
  }
  return reader.take();
}

}  // namespace

std::string to_line(const Beginning& beginning) {
  Json object = {{"version", k_version},         {"id", beginning.id},           {"program", beginning.program},
                 {"started", beginning.started}, {"command", beginning.command}, {"directory", beginning.directory}};
  for (const auto& target : beginning.targets) object["targets"].push_back(json_of(target));
  return line_of("build", std::move(object));
}

std::string to_line(const Step& step, bool is_new) {
  const bool ended = step.state != VertexState::started;
  Json object = {{"id", step.id}, {"state", name_of(step.state)}, {"time", ended ? step.ended : step.started}};
  put(object, "error", step.error);
  put(object, "programs", step.programs);
  put(object, "native", step.native);
  if (is_new) {
    object["name"] = step.name;
    put(object, "platform", step.platform);
    put(object, "needs", step.needs);
    put(object, "inputs", step.inputs);
    put(object, "emulated", step.emulated);
    put(object, "planned", step.planned);
    put(object, "line", step.line);
  }
  return line_of("step", std::move(object));
}

std::string to_line(const LogPiece& piece) {
  return line_of("log", {{"step", piece.step}, {"stream", piece.stream}, {"time", piece.time}, {"text", piece.text}});
}

std::string to_line(const Part& part) {
  Json object = {{"step", part.step}, {"name", part.name}, {"bytes", part.bytes}, {"time", part.time}};
  put(object, "total", part.total);
  return line_of("part", std::move(object));
}

std::string to_line(const End& end) {
  Json object = {{"time", end.time}};
  put(object, "cancelled", end.cancelled);
  if (end.failure) {
    object["failure"] = {{"message", end.failure->message}, {"status", end.failure->status}};
    put(object["failure"], "advice", end.failure->advice);
    put(object["failure"], "excerpt", end.failure->excerpt);
  }
  for (const auto& outcome : end.outcomes) object["outcomes"].push_back(json_of(outcome));
  return line_of("end", std::move(object));
}

std::string left_out_line(std::size_t bytes) { return line_of("logLeftOut", bytes); }

Record parse_record(std::string_view text, const std::string& path) {
  return read(text, path, [](std::string_view) { return true; });
}

Record parse_outline(std::string_view text, const std::string& path) {
  return read(text, path,
              [](std::string_view line) { return line.starts_with("{\"build\"") || line.starts_with("{\"end\""); });
}

Target target_of(const executor::TargetRequest& request) {
  Target target{.name = request.name,
                .context = request.context,
                .dockerfile = request.dockerfile,
                .stage = request.target,
                .platforms = {},
                .tags = request.tags,
                .outputs = {},
                .audit = request.arch_check};
  for (const auto& platform : request.platforms) target.platforms.push_back(platforms::to_string(platform));
  for (const auto& output : request.outputs) {
    const auto to = output.destination.empty() ? "" : " to " + output.destination;
    target.outputs.push_back(std::string(executor::to_string(output.type)) + (output.image.push ? ", pushed" : to));
  }
  return target;
}

Outcome outcome_of(const executor::BuildResult& result) {
  Outcome outcome{.digest = result.descriptor.digest,
                  .error = result.error ? result.error->what() : "",
                  .names = result.names,
                  .images = {},
                  .warnings = {},
                  .steps_run = result.steps_run,
                  .steps_cached = result.steps_cached,
                  .emulated_steps = result.emulation.steps,
                  .emulated_programs = result.emulation.programs,
                  .native_programs = result.emulation.native,
                  .emulated_ms = result.emulation.milliseconds};
  for (const auto& image : result.images) {
    auto& made =
        outcome.images.emplace_back(Image{platforms::to_string(image.platform), image.manifest, image.bytes, {}});
    for (const auto& layer : image.layers)
      made.layers.push_back({layer.digest, layer.made_by, layer.bytes, layer.line});
  }
  for (const auto& warning : result.warnings)
    outcome.warnings.push_back({warning.rule, warning.message, warning.range.first});
  return outcome;
}

Failure failure_of(const Error& error) {
  return {.message = error.what(),
          .advice = error.advice,
          .excerpt = error.excerpt,
          .status = static_cast<int>(error.exit_class)};
}

std::string status_of(const Record& record, bool running) {
  if (!record.end) return running ? "running" : "interrupted";
  if (record.end->cancelled) return "cancelled";
  return record.end->failure ? "failed" : "completed";
}

StepCounts count_steps(const Record& record) {
  StepCounts counts;
  for (const auto& step : record.steps) {
    if (!step.planned) continue;
    ++counts.all;
    counts.cached += step.state == VertexState::cached ? 1 : 0;
    counts.failed += step.state == VertexState::failed ? 1 : 0;
  }
  return counts;
}

std::string title_of(const Record& record) {
  const auto& targets = record.beginning.targets;
  if (targets.empty()) return "";
  if (!targets.front().name.empty()) {
    std::vector<std::string> names;
    for (const auto& target : targets) names.push_back(target.name);
    return "bake " + join_some(names, 3);
  }
  const auto& target = targets.front();
  const bool is_directory = target.context.find("://") == std::string::npos && target.context != "-";
  auto title = is_directory ? base_name(join_path(record.beginning.directory, target.context)) : target.context;
  if (!target.dockerfile.empty()) title += "/" + base_name(target.dockerfile);
  return target.stage.empty() ? title : fmt::format("{} ({})", title, target.stage);
}

}  // namespace mbuild::history
