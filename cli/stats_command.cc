#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/size_text.h"
#include "cli/cancel.h"
#include "cli/config/store_root.h"
#include "cli/container_parts.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "containers/run.h"
#include "containers/usage.h"

namespace mbuild::cli {
namespace {

using containers::Container;
using nlohmann::ordered_json;
using Time = std::chrono::steady_clock::time_point;

struct StatsFlags {
  std::string root, format;
  std::vector<std::string> names;
  bool once = false, all = false;
};

struct Sample {
  Container container;
  containers::Usage usage;
  Time when;
};

std::vector<Container> chosen(const StatsFlags& flags, const containers::Shelf& shelf) {
  std::vector<Container> out;
  for (const auto& word : flags.names) out.push_back(shelf.find(word));
  if (flags.names.empty()) out = shelf.list();
  std::erase_if(out, [](const auto& container) { return container.state != containers::State::running; });
  return out;
}

std::vector<Sample> samples_of(const StatsFlags& flags, const containers::Shelf& shelf) {
  std::vector<Sample> out;
  for (auto& container : chosen(flags, shelf)) {
    try {
      const auto usage = containers::usage_of(container);
      out.push_back({std::move(container), usage, std::chrono::steady_clock::now()});
    } catch (const Error&) {
      // It has just ended.
    }
  }
  return out;
}

double cpu_share(const Sample& now, const std::vector<Sample>& before) {
  for (const auto& other : before) {
    if (other.container.record.id != now.container.record.id) continue;
    const double seconds = std::chrono::duration<double>(now.when - other.when).count();
    const double used = now.usage.cpu_seconds - other.usage.cpu_seconds;
    return seconds > 0 && used > 0 ? 100 * used / seconds : 0;
  }
  return 0;
}

ordered_json row_of(const Sample& sample, const std::vector<Sample>& before) {
  const auto& usage = sample.usage;
  const auto limit = sample.container.record.options.limits.memory;
  const auto most = limit > 0 ? limit : containers::total_memory();
  const double share = most > 0 ? 100 * static_cast<double>(usage.memory) / static_cast<double>(most) : 0;
  return {{"ID", sample.container.record.id.substr(0, 12)},
          {"Name", sample.container.record.name},
          {"CPUPerc", fmt::format("{:.2f}%", cpu_share(sample, before))},
          {"MemUsage", fmt::format("{} / {}", size_text(usage.memory), size_text(most))},
          {"MemPerc", fmt::format("{:.2f}%", share)},
          {"NetIO", fmt::format("{} / {}", size_text(usage.received), size_text(usage.sent))},
          {"BlockIO", fmt::format("{} / {}", size_text(usage.read), size_text(usage.written))},
          {"PIDs", std::to_string(usage.processes)}};
}

void print_table(const std::vector<ordered_json>& rows) {
  constexpr const char* k_line = "{:<14}  {:<20}  {:>8}  {:<21}  {:>7}  {:<19}  {:<19}  {}\n";
  print(k_line, "CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS");
  const auto text = [](const ordered_json& row, const char* name) { return row[name].get<std::string>(); };
  for (const auto& row : rows) {
    print(k_line, text(row, "ID"), text(row, "Name"), text(row, "CPUPerc"), text(row, "MemUsage"), text(row, "MemPerc"),
          text(row, "NetIO"), text(row, "BlockIO"), text(row, "PIDs"));
  }
}

void show(const StatsFlags& flags, const std::vector<ordered_json>& rows) {
  if (flags.format.empty() || flags.format == "table") return print_table(rows);
  for (const auto& row : rows) {
    const std::string line = json_text(row, -1);
    print("{}\n", flags.format == "json" ? line : fill_template(flags.format, line));
  }
}

// False when it was stopped meanwhile.
bool wait_a_little(const std::stop_token& stop, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds k_step(50);
  for (; time.count() > 0 && !stop.stop_requested(); time -= k_step) std::this_thread::sleep_for(k_step);
  return !stop.stop_requested();
}

int show_stats(const StatsFlags& flags) {
  CancelOnSignal cancel;
  const auto shelf = containers::shelf_of(store_root(flags.root));
  const bool in_place = !flags.once && ::isatty(STDOUT_FILENO) == 1 && flags.format.empty();
  auto before = samples_of(flags, shelf);
  while (wait_a_little(cancel.token(), std::chrono::milliseconds(flags.once ? 500 : 1000))) {
    auto now = samples_of(flags, shelf);
    std::vector<ordered_json> rows;
    for (const auto& sample : now) rows.push_back(row_of(sample, before));
    if (in_place) clear_screen();
    show(flags, rows);
    if (flags.once) return 0;
    before = std::move(now);
  }
  return flags.once ? 130 : 0;
}

}  // namespace

void add_stats_command(Command& parent) {
  const auto flags = std::make_shared<StatsFlags>();
  Command command = parent.add("stats", "Show what containers use of the machine");
  add_root_option(command, flags->root);
  command.values("container", flags->names, "Names or ids (default: all that run)");
  command.flag("-a,--all", flags->all, "Accepted; those that have ended use nothing");
  command.value("--format", flags->format, "table, json or a template ({{.CPUPerc}})");
  command.flag("--no-stream", flags->once, "Once");
  command.run([flags] { return show_stats(*flags); });
}

}  // namespace mbuild::cli
