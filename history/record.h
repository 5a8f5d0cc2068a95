#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/api/build_request.h"
#include "executor/api/events.h"

// What is kept of a build when it is over: who asked for what, when each step ran, what it wrote, and what came of it.
// A record is a text of JSON objects, one a line (docs/formats.md, Past builds), written while the build runs: what a
// killed build left is a record without an end.
namespace mbuild::history {

// All times of a record are nanoseconds since the build began.
using Time = std::int64_t;

struct Step {
  executor::VertexId id = 0;
  executor::VertexState state = executor::VertexState::started;
  std::string name, platform, error;
  std::vector<std::string> needs;
  std::vector<executor::VertexId> inputs;
  bool emulated = false, planned = false;  // planned: a step of the graph; else a phase
  int line = 0;                            // of the Dockerfile; 0: none
  std::uint64_t programs = 0, native = 0;  // that an emulated step started; of these, native ones in their place
  Time started = 0, ended = 0;             // a step that is running has not ended: 0
};

struct LogPiece {
  executor::VertexId step = 0;
  int stream = 1;
  Time time = 0;
  std::string text;
};

// A part of a step that bytes went through, when it had ended.
struct Part {
  executor::VertexId step = 0;
  std::string name;
  std::uint64_t bytes = 0, total = 0;
  Time time = 0;
};

// A target as it was asked for.
struct Target {
  std::string name, context, dockerfile, stage;
  std::vector<std::string> platforms, tags, outputs;
  std::string audit;  // --arch-check
};

struct Layer {
  std::string digest, made_by;  // the instruction; "" for a layer of the base
  std::uint64_t bytes = 0;      // as it is sent
  int line = 0;
};
struct Image {
  std::string platform, manifest;
  std::uint64_t bytes = 0;
  std::vector<Layer> layers;
};
struct Warning {
  std::string rule, message;
  int line = 0;
};
// What became of it.
struct Outcome {
  std::string digest, error;
  std::vector<std::string> names;
  std::string failed_step;  // the id by which the store keeps the RUN that failed; "": it does not
  std::vector<Image> images;
  std::vector<Warning> warnings;
  std::uint64_t steps_run = 0, steps_cached = 0;
  std::uint64_t emulated_steps = 0, emulated_programs = 0, native_programs = 0, emulated_ms = 0;
};

struct Failure {
  std::string message, advice, excerpt;
  int status = 0;  // of the program
};

struct End {
  Time time = 0;
  bool cancelled = false;
  std::optional<Failure> failure;
  std::vector<Outcome> outcomes;  // of the targets
};

struct Beginning {
  std::string id;
  std::string program;               // and its version
  std::int64_t started = 0;          // nanoseconds since 1970
  std::vector<std::string> command;  // without the program's name
  std::string directory;             // where it was typed
  std::vector<Target> targets;
};

struct Record {
  Beginning beginning;
  std::vector<Step> steps;  // in the order in which they began
  std::vector<LogPiece> log;
  std::vector<Part> parts;
  std::size_t log_left_out = 0;  // bytes
  std::optional<End> end;        // none: it runs, or was killed
};

// A target as it was asked for, and what a build says of its end.
Target target_of(const executor::TargetRequest& request);
Outcome outcome_of(const executor::BuildResult& result);
Failure failure_of(const Error& error);

// A line each, with its end.
std::string to_line(const Beginning& beginning);
std::string to_line(const Step& step, bool is_new);
std::string to_line(const LogPiece& piece);
std::string to_line(const Part& part);
std::string to_line(const End& end);
std::string left_out_line(std::size_t bytes);

// A last line that was not written whole is passed over. Throws Error (store), which names `path`, where the text is no
// record, or of a version that is not known.
Record parse_record(std::string_view text, const std::string& path);
// What a list of builds needs, which is read without the rest: beginning and end.
Record parse_outline(std::string_view text, const std::string& path);

// "completed", "failed", "cancelled", "interrupted"; `running`: its build still is.
std::string status_of(const Record& record, bool running);
// How many steps of the graph there are in a record, and were cached.
struct StepCounts {
  std::size_t all = 0, cached = 0, failed = 0;
};
StepCounts count_steps(const Record& record);
// What a build is called in a list: its targets, or the context and the stage.
std::string title_of(const Record& record);

}  // namespace mbuild::history
