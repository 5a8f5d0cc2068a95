#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/output_file.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/columns.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/progress.h"
#include "cli/display/report.h"
#include "cli/display/summary.h"
#include "cli/display/terminal.h"
#include "cli/display/usage_table.h"
#include "containers/shelf.h"
#include "history/page.h"
#include "history/past_builds.h"
#include "history/replay.h"
#include "history/trace.h"

namespace mbuild::cli {
namespace {

using history::PastBuild;
using history::Record;
using nlohmann::ordered_json;

constexpr std::int64_t k_second = 1'000'000'000;

struct HistoryFlags {
  std::string root, format, build, output, progress = "plain";
  std::vector<std::string> builds, filters;
  bool no_trunc = false, quiet = false, all = false;
};

history::Time took(const PastBuild& build) {
  if (build.record.end) return build.record.end->time;
  return build.running ? unix_seconds() * k_second - build.record.beginning.started : 0;
}

std::string took_text(const PastBuild& build) {
  if (!build.record.end && !build.running) return "";
  return duration_text(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::nanoseconds(took(build))));
}

// Of all targets, as they say themselves.
history::StepCounts told_steps(const Record& record) {
  history::StepCounts counts;
  if (!record.end) return counts;
  for (const auto& outcome : record.end->outcomes) {
    counts.all += outcome.steps_run + outcome.steps_cached;
    counts.cached += outcome.steps_cached;
  }
  return counts;
}

// ---- ls

ordered_json row_of(const PastBuild& build) {
  const auto& [beginning, steps, log, parts, left_out, end] = build.record;
  const auto counts = told_steps(build.record);
  ordered_json row = {{"ref", beginning.id},
                      {"name", history::title_of(build.record)},
                      {"status", history::status_of(build.record, build.running)},
                      {"created_at", rfc3339(std::chrono::nanoseconds(beginning.started))}};
  row["completed_at"] = end ? rfc3339(std::chrono::nanoseconds(beginning.started + end->time)) : "";
  row["duration"] = took_text(build);
  row["total_steps"] = counts.all;
  row["cached_steps"] = counts.cached;
  row["error"] = end && end->failure ? end->failure->message : "";
  return row;
}

// Whether a build is one of those that "status=failed", "name!=x", "ref=ab", "duration>2m" or "startedAt<24h" wants.
std::function<bool(const PastBuild&)> parse_filter(const std::string& text) {
  const auto at = text.find_first_of("!=<>");
  const std::string field = text.substr(0, at);
  if (at == std::string::npos || at == 0)
    throw usage_error(fmt::format("invalid filter \"{}\"", text)).with_advice("For example status=failed.");
  const bool with_equal = text.size() > at + 1 && text[at + 1] == '=';
  const std::string sign = text.substr(at, with_equal ? 2 : 1), value = text.substr(at + sign.size());
  const bool is_equality = sign == "=" || sign == "==" || sign == "!=";
  if (is_equality && (field == "status" || field == "name" || field == "ref" || field == "repository")) {
    const bool wanted = sign != "!=";
    return [=](const PastBuild& build) {
      const auto row = row_of(build);
      const auto found = row.value(field == "repository" ? "name" : field, "");
      return (field == "ref" ? found.starts_with(value) : found == value) == wanted;
    };
  }
  const bool is_time = field == "startedAt" || field == "completedAt";
  if ((field == "duration" || is_time) && sign != "!") {
    const auto bound = parse_duration(value) * k_second;
    return [=](const PastBuild& build) {
      const auto& record = build.record;
      const auto since = unix_seconds() * k_second - record.beginning.started;
      const auto number = field == "duration" ? took(build) : since - (field == "completedAt" ? took(build) : 0);
      if (sign == "<") return number < bound;
      if (sign == "<=") return number <= bound;
      if (sign == ">") return number > bound;
      return sign == ">=" ? number >= bound : (number / k_second == bound / k_second) == (sign != "!=");
    };
  }
  throw usage_error(fmt::format("invalid filter \"{}\"", text))
      .with_advice(
          "Filters are ref, name and status with = and !=; duration, startedAt and completedAt with < and >: "
          "duration>2m, startedAt<24h (begun less than a day ago).");
}

std::vector<PastBuild> wanted_builds(const HistoryFlags& flags) {
  std::vector<std::function<bool(const PastBuild&)>> filters;
  for (const auto& text : flags.filters) filters.push_back(parse_filter(text));
  auto builds = history::past_builds(store_root(flags.root));
  std::erase_if(builds, [&](const auto& build) {
    return std::ranges::any_of(filters, [&](const auto& fits) { return !fits(build); });
  });
  return builds;
}

int list_builds(const HistoryFlags& flags) {
  const auto builds = wanted_builds(flags);
  if (flags.quiet) {
    for (const auto& build : builds) print("{}\n", build.record.beginning.id);
    return 0;
  }
  if (!flags.format.empty() && flags.format != "table") {
    for (const auto& build : builds) {
      const auto row = json_text(row_of(build), -1);
      print("{}\n", flags.format == "json" ? row : fill_template(flags.format, row));
    }
    return 0;
  }
  constexpr std::size_t k_name = 32;
  print("{:<12}  {:<32}  {:<11}  {:<16}  {:>8}  {}\n", "BUILD ID", "NAME", "STATUS", "CREATED AT", "DURATION", "STEPS");
  for (const auto& build : builds) {
    const auto counts = told_steps(build.record);
    auto name = clean_line(history::title_of(build.record));
    if (!flags.no_trunc) name = fit_columns(name, k_name);
    name.append(k_name - std::min(k_name, columns_of(name)), ' ');
    print("{:<12}  {}  {:<11}  {:<16}  {:>8}  {}\n", build.record.beginning.id, name,
          history::status_of(build.record, build.running),
          containers::ago(unix_seconds() - build.record.beginning.started / k_second) + " ago", took_text(build),
          build.record.end ? fmt::format("{} ({} cached)", counts.all, counts.cached) : "");
  }
  return 0;
}

// ---- inspect

ordered_json inspected(const PastBuild& build, const Record& record) {
  ordered_json object = row_of(build);
  object["program"] = record.beginning.program;
  object["command"] = record.beginning.command;
  object["directory"] = record.beginning.directory;
  object["targets"] = ordered_json::array();
  for (std::size_t i = 0; i < record.beginning.targets.size(); ++i) {
    const auto& target = record.beginning.targets[i];
    ordered_json one = {{"name", target.name},      {"context", target.context},     {"dockerfile", target.dockerfile},
                        {"target", target.stage},   {"platforms", target.platforms}, {"tags", target.tags},
                        {"outputs", target.outputs}};
    if (record.end && i < record.end->outcomes.size()) {
      const auto& outcome = record.end->outcomes[i];
      one["digest"] = outcome.digest;
      for (const auto& image : outcome.images)
        one["images"].push_back({{"platform", image.platform}, {"digest", image.manifest}, {"size", image.bytes}});
      for (const auto& warning : outcome.warnings)
        one["warnings"].push_back({{"rule", warning.rule}, {"message", warning.message}, {"line", warning.line}});
      if (!outcome.error.empty()) one["error"] = outcome.error;
    }
    object["targets"].push_back(std::move(one));
  }
  return object;
}

void say_line(std::string_view name, std::string_view value) {
  if (!value.empty()) print("{:<12} {}\n", std::string(name) + ":", clean_line(value));
}

void print_images(const history::Outcome& outcome) {
  for (const auto& image : outcome.images)
    print("  {:<16} {}  {}\n", image.platform, image.manifest, size_text(image.bytes));
}

void print_slowest(const Record& record) {
  auto steps = record.steps;
  std::erase_if(steps, [](const auto& step) { return step.ended <= step.started; });
  std::ranges::stable_sort(steps, std::greater(), [](const auto& step) { return step.ended - step.started; });
  if (steps.size() > 5) steps.resize(5);
  if (!steps.empty()) print("\nLongest steps:\n");
  for (const auto& step : steps) {
    print("  {:>8}  {}{}\n", duration_text(std::chrono::nanoseconds(step.ended - step.started)),
          fit_columns(clean_line(step.name), 100), step.emulated ? " (emulated)" : "");
  }
}

int inspect_build(const HistoryFlags& flags) {
  const auto build = history::find_build(store_root(flags.root), flags.build);
  const auto record = history::read_record(build);
  const auto json = inspected(build, record);
  if (!flags.format.empty() && flags.format != "pretty") {
    print("{}\n", flags.format == "json" ? json_text(json) : fill_template(flags.format, json.dump()));
    return 0;
  }
  const auto counts = told_steps(record);
  say_line("Build", record.beginning.id);
  say_line("Name", history::title_of(record));
  std::vector<std::string> words;
  for (const auto& word : record.beginning.command) words.push_back(shell_word(word));
  say_line("Command", "mbuild " + join(words, " "));
  say_line("Directory", record.beginning.directory);
  say_line("Started", rfc3339(record.beginning.started / k_second));
  say_line("Duration", took_text(build));
  say_line("Status", history::status_of(record, build.running));
  if (record.end) say_line("Steps", fmt::format("{}, {} cached", counts.all, counts.cached));
  if (record.end && record.end->failure) say_line("Error", record.end->failure->message);
  if (record.end) {
    for (std::size_t i = 0; i < record.end->outcomes.size(); ++i) {
      const auto& outcome = record.end->outcomes[i];
      if (outcome.images.empty() && outcome.warnings.empty()) continue;
      const auto name = i < record.beginning.targets.size() ? record.beginning.targets[i].name : "";
      print("\n{}{}\n", name.empty() ? "" : name + ": ", join(outcome.names, ", "));
      print_images(outcome);
      for (const auto& warning : outcome.warnings) print("  warning: {}\n", clean_line(warning.message));
    }
  }
  print_slowest(record);
  return 0;
}

// ---- logs, open, trace, export, import, rm

int show_logs(const HistoryFlags& flags) {
  const auto build = history::find_build(store_root(flags.root), flags.build);
  const auto record = history::read_record(build);
  auto display = make_progress(parse_progress_mode(flags.progress));
  history::replay(record, *display);
  display.reset();
  if (record.end && record.end->failure) {
    const auto& failure = *record.end->failure;
    print_error(Error(static_cast<ExitClass>(failure.status), failure.message).with_excerpt(failure.excerpt));
  }
  return 0;
}

// To where -o says, else to standard output.
void write_document(const std::string& output, const std::string& text) {
  output.empty() || output == "-" ? print_document(text) : write_output(output, text);
}

int trace_build(const HistoryFlags& flags) {
  const auto build = history::find_build(store_root(flags.root), flags.build);
  write_document(flags.output, history::chrome_trace(history::read_record(build)));
  return 0;
}

int export_build(const HistoryFlags& flags) {
  write_document(flags.output, read_file(history::find_build(store_root(flags.root), flags.build).path));
  return 0;
}

int open_build(const HistoryFlags& flags) {
  const auto build = history::find_build(store_root(flags.root), flags.build);
  const auto file = flags.output.empty() ? fmt::format("mbuild-{}.html", build.record.beginning.id) : flags.output;
  write_document(file, history::report_page(read_file(build.path)));
  if (file != "-") print("{}\n", file);
  return 0;
}

int remove_builds(const HistoryFlags& flags) {
  if (flags.all == !flags.builds.empty())
    throw usage_error("mbuild history rm takes builds, or --all").with_advice("mbuild history ls lists them.");
  const auto root = store_root(flags.root);
  std::vector<PastBuild> builds;
  if (flags.all) builds = history::past_builds(root);
  for (const auto& word : flags.builds) builds.push_back(history::find_build(root, word));
  int status = 0;
  for (const auto& build : builds) {
    if (build.running) {
      say("ERROR: build {} is running\n", build.record.beginning.id);
      status = 1;
      continue;
    }
    history::remove_record(build);
    print("{}\n", build.record.beginning.id);
  }
  return status;
}

int import_build(const HistoryFlags& flags) {
  const auto text = flags.build == "-" ? read_all(0) : read_file(flags.build);
  print("{}\n", history::import_record(store_root(flags.root), text, flags.build));
  return 0;
}

}  // namespace

void add_history_command(Command& top) {
  auto flags = std::make_shared<HistoryFlags>();
  Command history = top.add("history", "Look at past builds: their steps, logs and times");
  history.examples({{"mbuild history ls --filter status=failed", "List the builds that failed."},
                    {"mbuild history logs", "Show again what the last build printed."},
                    {"mbuild history open ^1", "Write the report of the build before the last one."}});
  history.require_subcommand();
  const auto add = [&](const char* name, const char* help, std::function<int(const HistoryFlags&)> action) {
    Command command = history.add(name, help);
    add_root_option(command, flags->root);
    command.run([flags, action] { return action(*flags); });
    return command;
  };
  const auto of_one = [&](Command command) {
    command.value("build=BUILD", flags->build, "Id, its beginning, or ^N: the Nth before the last (default: the last)");
    return command;
  };
  Command list = add("ls", "List past builds", list_builds);
  list.values("--filter=F", flags->filters, "Only what matches: status=failed, duration>2m, startedAt<24h, ...");
  list.value("--format=F", flags->format, "table, json, or a text with {{.ref}}, {{.status}}, ...");
  list.flag("--no-trunc", flags->no_trunc, "Names in full");
  list.flag("-q,--quiet", flags->quiet, "Ids only");
  list.unused_flag("--local", [] {});
  Command inspect = of_one(add("inspect", "Show what was asked for and made", inspect_build));
  inspect.value("--format=F", flags->format, "pretty, json, or a text with {{.status}}, ...");
  Command logs = of_one(add("logs", "Show again what a build printed", show_logs));
  logs.value("--progress=MODE", flags->progress, "plain, tty or rawjson");
  Command open = of_one(add("open", "Write a build's report, a page for the browser", open_build));
  open.value("-o,--output=FILE", flags->output, "The page (default: mbuild-BUILD.html)");
  Command trace = of_one(add("trace", "Write the times of a build's steps as a Chrome trace", trace_build));
  trace.value("-o,--output=FILE", flags->output, "The trace (default: standard output)");
  Command export_ = of_one(add("export", "Write the record of a build, for `import`", export_build));
  export_.value("-o,--output=FILE", flags->output, "The record (default: standard output)");
  Command import = add("import", "Add the record of a build of another store", import_build);
  import.value("build=FILE|-", flags->build, "What `export` wrote", Presence::required);
  Command rm = add("rm", "Remove records of past builds", remove_builds);
  rm.values("builds=BUILD...", flags->builds, "Ids, or ^N");
  rm.flag("--all", flags->all, "All but those of builds that run");
}

}  // namespace mbuild::cli
