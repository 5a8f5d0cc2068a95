#include "history/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

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

// What is written of each part of a record, and read: its members by their names in JSON. Those that are not always
// there say nothing ("", 0, false, []) where they are missing. `Fields` is a Writer or a Parser.
template <class T, class Wanted>
concept Like = std::same_as<std::remove_const_t<T>, Wanted>;

template <class Fields, Like<Target> T>
void fields(Fields& f, T& target) {
  f("name", target.name);
  f("context", target.context);
  f("dockerfile", target.dockerfile);
  f("stage", target.stage);
  f("platforms", target.platforms);
  f("tags", target.tags);
  f("outputs", target.outputs);
  f("audit", target.audit);
}

template <class Fields, Like<Layer> T>
void fields(Fields& f, T& layer) {
  f.always("digest", layer.digest);
  f.always("bytes", layer.bytes);
  f("madeBy", layer.made_by);
  f("line", layer.line);
}

template <class Fields, Like<Image> T>
void fields(Fields& f, T& image) {
  f.always("platform", image.platform);
  f.always("manifest", image.manifest);
  f.always("bytes", image.bytes);
  f("layers", image.layers);
}

template <class Fields, Like<Warning> T>
void fields(Fields& f, T& warning) {
  f.always("message", warning.message);
  f("rule", warning.rule);
  f("line", warning.line);
}

template <class Fields, Like<Outcome> T>
void fields(Fields& f, T& outcome) {
  f.always("stepsRun", outcome.steps_run);
  f.always("stepsCached", outcome.steps_cached);
  f("digest", outcome.digest);
  f("error", outcome.error);
  f("failedStep", outcome.failed_step);
  f("names", outcome.names);
  f("images", outcome.images);
  f("warnings", outcome.warnings);
  f("emulatedSteps", outcome.emulated_steps);
  f("emulatedPrograms", outcome.emulated_programs);
  f("nativePrograms", outcome.native_programs);
  f("emulatedMilliseconds", outcome.emulated_ms);
}

template <class Fields, Like<Failure> T>
void fields(Fields& f, T& failure) {
  f.always("message", failure.message);
  f.always("status", failure.status);
  f("advice", failure.advice);
  f("excerpt", failure.excerpt);
}

template <class Fields, Like<Beginning> T>
void fields(Fields& f, T& beginning) {
  f.always("id", beginning.id);
  f.always("program", beginning.program);
  f.always("started", beginning.started);
  f.always("command", beginning.command);
  f.always("directory", beginning.directory);
  f("targets", beginning.targets);
}

template <class Fields, Like<End> T>
void fields(Fields& f, T& end) {
  f.always("time", end.time);
  f("cancelled", end.cancelled);
  f("failure", end.failure);
  f("outcomes", end.outcomes);
}

template <class Fields, Like<LogPiece> T>
void fields(Fields& f, T& piece) {
  f.always("step", piece.step);
  f.always("stream", piece.stream);
  f.always("time", piece.time);
  f.always("text", piece.text);
}

template <class Fields, Like<Part> T>
void fields(Fields& f, T& part) {
  f.always("step", part.step);
  f.always("name", part.name);
  f.always("bytes", part.bytes);
  f.always("time", part.time);
  f("total", part.total);
}

// Of each line of a step, but its id, state and time.
template <class Fields, Like<Step> T>
void fields_of_each_line(Fields& f, T& step) {
  f("error", step.error);
  f("programs", step.programs);
  f("native", step.native);
}

template <class Fields, Like<Step> T>
void fields_of_first_line(Fields& f, T& step) {
  f.always("name", step.name);
  f("platform", step.platform);
  f("needs", step.needs);
  f("inputs", step.inputs);
  f("emulated", step.emulated);
  f("planned", step.planned);
  f("line", step.line);
}

template <class T>
concept RecordPart = std::is_class_v<T> && std::is_aggregate_v<T>;
template <class T>
concept Optional = requires(const T& value) { value.has_value(); };
template <class T>
concept List = requires(const T& value) { typename T::value_type; } && RecordPart<typename T::value_type>;

template <class T>
void write_json(std::string& out, const T& value);

// The members of an object. (A document of nlohmann's for each line took a thirtieth of a build that finds all cached.)
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) { out_ += '{'; }

  template <class T>
  void always(const char* name, const T& value) {
    if (out_.back() != '{') out_ += ',';
    out_.append("\"").append(name).append("\":");
    write_json(out_, value);
  }
  template <class T>
  void operator()(const char* name, const T& value) {
    if (says_something(value)) always(name, value);
  }
  void end() { out_ += '}'; }

 private:
  template <class T>
  static bool says_something(const T& value) {
    if constexpr (Optional<T>) {
      return value.has_value();
    } else if constexpr (List<T>) {
      return !value.empty();
    } else {
      return value != T{};
    }
  }

  std::string& out_;
};

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

template <class T>
void write_json(std::string& out, const T& value) {
  if constexpr (Optional<T>) {
    write_json(out, *value);
  } else if constexpr (List<T>) {
    out += '[';
    for (const auto& one : value) {
      if (out.back() != '[') out += ',';
      write_json(out, one);
    }
    out += ']';
  } else if constexpr (RecordPart<T>) {
    Writer writer(out);
    fields(writer, value);
    writer.end();
  } else if constexpr (std::same_as<T, std::string>) {
    out += is_plain(value) ? '"' + value + '"' : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  } else {
    out += Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

template <class T>
std::string line_of(const char* kind, const T& value) {
  std::string line = fmt::format("{{\"{}\":", kind);
  write_json(line, value);
  return line + "}\n";
}

template <class T>
void read_json(const Json& from, T& into);

class Parser {
 public:
  explicit Parser(const Json& from) : from_(from) {}

  template <class T>
  void always(const char* name, T& into) {
    (*this)(name, into);
  }
  template <class T>
  void operator()(const char* name, T& into) {
    if (const auto found = from_.find(name); found != from_.end()) read_json(*found, into);
  }

 private:
  const Json& from_;
};

template <class T>
void read_json(const Json& from, T& into) {
  if constexpr (Optional<T>) {
    read_json(from, into.emplace());
  } else if constexpr (List<T>) {
    for (const auto& one : from) read_json(one, into.emplace_back());
  } else if constexpr (RecordPart<T>) {
    Parser parser(from);
    fields(parser, into);
  } else {
    from.get_to(into);
  }
}

Beginning beginning_in(const Json& object, const std::string& path) {
  if (object.value("version", 0) != k_version) {
    throw Error(ExitClass::store, fmt::format("{} is of another version of mbuild", path))
        .with_advice("mbuild history rm --all removes the records of past builds.");
  }
  Beginning beginning;
  read_json(object, beginning);
  return beginning;
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
    if (kind == "log") read_json(value, record_.log.emplace_back());
    if (kind == "part") read_json(value, record_.parts.emplace_back());
    if (kind == "logLeftOut") record_.log_left_out += value.get<std::size_t>();
    if (kind == "end") read_json(value, record_.end);
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
    Parser parser(object);
    if (object.contains("name")) {
      running_[id] = record_.steps.size();
      auto& step = record_.steps.emplace_back();
      step.id = id;
      step.started = time;
      fields_of_first_line(parser, step);
    }
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    auto& step = record_.steps[found->second];
    step.state = state;
    fields_of_each_line(parser, step);
    if (state != VertexState::started) step.ended = time;
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
  std::string line = "{\"build\":";
  Writer writer(line);
  writer.always("version", k_version);
  fields(writer, beginning);
  writer.end();
  return line + "}\n";
}

std::string to_line(const Step& step, bool is_new) {
  std::string line = "{\"step\":";
  Writer writer(line);
  writer.always("id", step.id);
  writer.always("state", std::string(name_of(step.state)));
  writer.always("time", step.state == VertexState::started ? step.started : step.ended);
  fields_of_each_line(writer, step);
  if (is_new) fields_of_first_line(writer, step);
  writer.end();
  return line + "}\n";
}

std::string to_line(const LogPiece& piece) { return line_of("log", piece); }
std::string to_line(const Part& part) { return line_of("part", part); }
std::string to_line(const End& end) { return line_of("end", end); }
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
                  .failed_step = result.failed_step,
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
