#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// The syntax tree of a Dockerfile: typed instructions with source ranges, nothing expanded, nothing resolved.
namespace mbuild::frontend::dockerfile {

struct Range {
  int first = 0, last = 0;  // 1-based lines, both included
};

struct Heredoc {
  std::string name;     // the delimiter without quotes
  std::string fd;       // digits before "<<", usually empty
  std::string content;  // body; tabs already stripped for "<<-"
  std::string raw;      // body as written, what a shell that reads the heredoc itself must get
  bool expand = true;   // false when any part of the delimiter was quoted
};

// The text of RUN, CMD, ENTRYPOINT and HEALTHCHECK CMD.
struct Command {
  bool exec_form = false;
  std::vector<std::string> words;  // exec form: the argv; shell form: one element, the text
  std::vector<Heredoc> heredocs;   // RUN only
};

struct KeyValue {
  std::string key;
  std::optional<std::string> value;  // unexpanded, quotes kept; none: "ARG NAME"
};

struct FromInstruction {
  std::string platform;  // text of --platform, "" when absent
  std::string base;
  std::string name;  // lower-cased stage name, "" when absent
  std::string name_as_written;
  std::string as_keyword;  // "AS" as written
};
struct ArgInstruction {
  std::vector<KeyValue> args;
};
struct EnvInstruction {
  std::vector<KeyValue> values;
  bool legacy = false;
};
struct LabelInstruction {
  std::vector<KeyValue> values;
  bool legacy = false;
};
struct MaintainerInstruction {
  std::string name;
};
struct RunInstruction {
  Command command;
  std::vector<std::string> mounts;  // values of --mount, unexpanded
  std::vector<std::string> devices;
  std::string network, security;
};
struct CopySource {
  std::string path;  // unexpanded; empty for a heredoc
  std::optional<Heredoc> heredoc;
};
struct CopyInstruction {  // COPY and ADD
  bool add = false;
  std::vector<CopySource> sources;
  std::string destination;
  std::string from, chown, chmod, checksum;
  bool link = false, parents = false;
  std::optional<bool> keep_git_dir, unpack;
  std::vector<std::string> exclude;
};
struct WorkdirInstruction {
  std::string path;
};
struct UserInstruction {
  std::string user;
};
struct CmdInstruction {
  Command command;
};
struct EntrypointInstruction {
  Command command;
};
struct ShellInstruction {
  std::vector<std::string> words;
};
struct ExposeInstruction {
  std::vector<std::string> ports;
};
struct VolumeInstruction {
  std::vector<std::string> paths;
};
struct StopSignalInstruction {
  std::string signal;
};
struct HealthCheckInstruction {
  bool none = false;
  Command command;
  std::int64_t interval_ns = 0, timeout_ns = 0, start_period_ns = 0, start_interval_ns = 0, retries = 0;
};
struct OnBuildInstruction {
  std::string text;
};  // the payload verbatim, heredoc bodies included

using InstructionBody =
    std::variant<FromInstruction, ArgInstruction, EnvInstruction, LabelInstruction, MaintainerInstruction,
                 RunInstruction, CopyInstruction, WorkdirInstruction, UserInstruction, CmdInstruction,
                 EntrypointInstruction, ShellInstruction, ExposeInstruction, VolumeInstruction, StopSignalInstruction,
                 HealthCheckInstruction, OnBuildInstruction>;

struct Instruction {
  InstructionBody body;
  std::string keyword;  // as written
  std::string text;     // the logical line: continued lines joined as they are, without the escapes
  Range range;
  std::vector<std::string> comments;  // comment lines above, without '#'; a bare "#" separates, a blank line doesn't
  std::vector<std::string> skip;      // lint rules silenced by "# check=skip=" directly above; "all"
};

struct Stage {
  Instruction from;  // holds FromInstruction
  std::vector<Instruction> instructions;
};

struct Warning {
  std::string rule;         // "StageNameCasing"; "" for a warning without a rule
  std::string description;  // what the rule is about
  std::string url;
  std::string message;  // this case
  Range range;
};

struct CheckOptions {  // the check= directive
  std::vector<std::string> skip;
  bool skip_all = false;
  bool error = false;
  std::vector<std::string> experimental;
  bool experimental_all = false;
};

struct Dockerfile {
  std::string name;                // as shown in messages: "Dockerfile"
  std::vector<std::string> lines;  // of the source, for excerpts
  char escape = '\\';
  std::string syntax;  // value of the syntax directive
  CheckOptions check;
  std::vector<Instruction> global_args;
  std::vector<Stage> stages;
  std::vector<Range> empty_continuations;  // blank lines inside continued instructions
  std::vector<Warning> warnings;           // found while parsing (lint_text() makes them), filtered by `check`
};

// Throws Error (usage): every independent syntax error of the file is in the one message and marked in its excerpt.
// `warnings`, if given, then receives what was found in the lines before the first error.
Dockerfile parse_dockerfile(std::string_view text, std::string name, std::vector<Warning>* warnings = nullptr);

// Parses the payload of an ONBUILD trigger. Its escape character is the backslash, whatever the file says that it comes
// from: an image's triggers have no file.
Instruction parse_trigger(std::string_view text);

// "NAME:LINE" and the lines around `range`, the range marked with ">>>".
std::string excerpt(const Dockerfile& dockerfile, Range range);
// The same with several ranges marked; "..." stands for the lines between that are not shown.
std::string excerpt(const Dockerfile& dockerfile, std::span<const Range> ranges);
// The NAME and LINE of the excerpt with which `text` ends, if there is one.
struct ExcerptPlace {
  std::string name;
  int line = 0;
};
std::optional<ExcerptPlace> place_of_excerpt(std::string_view text);

}  // namespace mbuild::frontend::dockerfile
