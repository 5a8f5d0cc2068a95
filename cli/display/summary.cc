#include "cli/display/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/clean_text.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/display/columns.h"
#include "executor/api/acceleration.h"
#include "executor/sources/remote_context.h"
#include "frontend/dockerfile/syntax.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

using executor::Output;
using executor::OutputType;
using Lines = std::vector<std::string>;

constexpr std::size_t k_digest_shown = 19;  // "sha256:" and 12 digits

std::string count(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

Lines names_of(const executor::BuildResult& result) {
  Lines names;
  for (const auto& name : result.names) names.push_back(frontend::familiar_string(frontend::parse_reference(name)));
  return names;
}

std::string where(const Output& output) {
  return output.destination.empty() || output.destination == "-" ? "standard output" : output.destination;
}

std::string delivered(const Output& output, const std::string& names) {
  const std::string of_names = names.empty() ? "" : " as " + names;
  if (output.load) return "loaded into the container engine" + of_names;
  switch (output.type) {
    case OutputType::oci:
    case OutputType::docker:
      return "image written to " + where(output);
    case OutputType::local:
    case OutputType::tar:
      return "files written to " + where(output);
    case OutputType::image:
    case OutputType::registry:
      if (output.image.push && output.image.store) return "pushed, and kept in the store," + of_names;
      return (output.image.push ? "pushed" : "kept in the store") + of_names;
    case OutputType::cacheonly:
      break;
  }
  return "";
}

// The platform is said where the image has none for this machine.
std::string run_command(const std::string& name, const executor::BuildResult& result) {
  const auto is_own = [](const auto& image) { return image.platform == platforms::host_platform(); };
  const bool said = !result.images.empty() && std::ranges::none_of(result.images, is_own);
  const auto platform = said ? "--platform " + platforms::to_string(result.images.front().platform) + " " : "";
  return fmt::format("mbuild run --rm {}{}", platform, name);
}

// The command that shows or runs what an output made; "" where there is none.
std::string command_for(const Output& output, const Lines& names, const executor::BuildResult& result) {
  const std::string name = names.empty() ? "" : names.front();
  if (output.load) return name.empty() ? "" : "docker run --rm " + name;
  const bool named = !output.destination.empty() && output.destination != "-";
  if (output.type == OutputType::local) return "ls " + shell_word(output.destination);
  if (output.type == OutputType::tar) return named ? "tar tvf " + shell_word(output.destination) : "";
  if (output.type == OutputType::oci && named) {
    return (output.image.as_tar ? "mbuild verify " : "mbuild verify oci-layout://") + shell_word(output.destination);
  }
  if (output.type == OutputType::docker && named && output.image.as_tar) {
    return "docker load -i " + shell_word(output.destination);
  }
  if (output.image.push && !name.empty()) {
    const auto at = output.image.push_by_digest ? "@" + result.descriptor.digest : "";
    return "mbuild imagetools inspect " + name + at;
  }
  if (output.type != OutputType::image) return "";
  return name.empty() ? "mbuild images" : run_command(name, result);
}

// "Built app:1 for linux/amd64, linux/arm64".
std::string heading(const TargetResult& target, const Lines& names) {
  Lines platforms;
  for (const auto& image : target.result.images) platforms.push_back(platforms::to_string(image.platform));
  const std::string what = names.empty() ? target.request.name : join(names, ", ");
  return fmt::format("Built{}{}{}{}", what.empty() ? "" : " ", what, platforms.empty() ? "" : " for ",
                     join(platforms, ", "));
}

std::string image_lines(const executor::BuildResult& result) {
  std::string text;
  std::size_t width = 0;
  for (const auto& image : result.images) width = std::max(width, platforms::to_string(image.platform).size());
  for (const auto& image : result.images) {
    text += fmt::format("   {:<{}}  {:>7}  {}\n", platforms::to_string(image.platform), width, size_text(image.bytes),
                        image.manifest.substr(0, k_digest_shown));
  }
  if (!result.descriptor.digest.empty()) text += fmt::format("   {}\n", result.descriptor.digest);
  return text;
}

std::string steps_text(const Ended& build) {
  std::size_t run = 0, cached = 0;
  for (const auto& target : build.targets) {
    run += target.result.steps_run;
    cached += target.result.steps_cached;
  }
  return fmt::format("{} run, {} cached", count(run, "step"), cached);
}

// ", 40 of 41 programs native (saved at least 0.5s)": what ran in place of emulated programs.
std::string native_of(std::uint64_t programs, std::uint64_t native) {
  if (native == 0) return "";
  return fmt::format(", {} of {} programs native (saved at least {})", native, programs,
                     duration_text(std::chrono::milliseconds(executor::least_milliseconds_saved(native))));
}

std::string native_text(const Ended& build) {
  std::uint64_t programs = 0, native = 0;
  for (const auto& target : build.targets) {
    programs += target.result.emulation.programs;
    native += target.result.emulation.native;
  }
  return native_of(programs, native);
}

// Where emulation took its time: a line for each of the longest steps, where there are several.
std::string emulated_lines(const Totals& totals) {
  constexpr std::size_t k_columns = 60;
  std::string text;
  if (totals.emulated_steps < 2) return text;
  for (const auto& step : totals.longest_emulated) {
    if (step.took < std::chrono::seconds(1)) break;
    text += fmt::format("   {:>7}  {}{}\n", duration_text(step.took), fit_columns(clean_line(step.name), k_columns),
                        native_of(step.programs, step.native));
  }
  return text;
}

// "4 steps run, 2 cached; 1 of them emulated, 3.1s of 4.0s; 12MB pulled".
std::string cost_line(const Ended& build) {
  const auto& totals = build.totals;
  std::string text = " " + steps_text(build);
  if (totals.emulated_steps > 0) {
    text += fmt::format("; {} emulated, {} of {}{}", totals.emulated_steps, duration_text(totals.emulated),
                        duration_text(totals.all_steps), native_text(build));
  }
  if (totals.pulled > 0) text += fmt::format("; {} pulled", size_text(totals.pulled));
  if (totals.pushed > 0) text += fmt::format("; {} pushed", size_text(totals.pushed));
  return text + "\n" + emulated_lines(totals);
}

}  // namespace

std::string duration_text(std::chrono::steady_clock::duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 60) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<long>(seconds);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

namespace {

struct TargetText {
  std::string made;     // lines below the heading
  std::string command;  // that looks at the result; "" where there is none
};

TargetText target_text(const TargetResult& target, const Lines& names) {
  TargetText text{image_lines(target.result), ""};
  for (const auto& output : target.request.outputs) {
    const auto line = delivered(output, join(names, ", "));
    if (!line.empty()) text.made += fmt::format("   {}\n", line);
    if (text.command.empty()) text.command = command_for(output, names, target.result);
  }
  for (const auto& cache : target.request.cache_to) {
    if (cache.type == "registry" || cache.type == "local") text.made += fmt::format("   cache: {}\n", to_string(cache));
  }
  return text;
}

}  // namespace

std::string success_text(const Ended& build) {
  constexpr std::size_t k_shown = 20;  // targets
  const bool several = build.targets.size() > 1;
  const std::string took = duration_text(build.took);
  std::string text = "\n", command;
  for (const auto& target : std::span(build.targets).first(std::min(build.targets.size(), k_shown))) {
    const auto names = names_of(target.result);
    const auto own = target_text(target, names);
    text += fmt::format(" {}{}\n{}", heading(target, names), several ? "" : " in " + took, own.made);
    if (command.empty()) command = own.command;
  }
  if (build.targets.size() > k_shown) text += fmt::format(" and {} more\n", build.targets.size() - k_shown);
  if (several) text += fmt::format(" {} targets in {}\n", build.targets.size(), took);
  text += cost_line(build);
  if (!command.empty()) text += fmt::format(" Next: {}\n", command);
  return text;
}

namespace {

// The files that a step found can be had, where the Dockerfile is a file that can be cut before it.
std::string look_inside(const Ended& build, int line) {
  if (build.targets.size() != 1) return "";
  const auto& request = build.targets[0].request;
  const bool in_files = !request.dockerfile_text && request.dockerfile != "-" && request.context != "-" &&
                        !executor::is_remote(request.context) && !executor::is_remote(request.dockerfile);
  if (!in_files || line < 2 || !build.totals.step_failed) return "";
  const auto dockerfile = request.dockerfile.empty() ? join_path(request.context, "Dockerfile") : request.dockerfile;
  const auto& platform = build.totals.failed_platform;
  const bool others = !request.build_args.empty() || !request.contexts.empty() || !request.secrets.empty();
  return fmt::format(
      " The files that this step found, in the directory inside{}:\n"
      "   head -n {} {} | mbuild build -f -{} -o inside {}\n",
      others ? " (add your --build-arg, --build-context and --secret)" : "", line - 1, shell_word(dockerfile),
      platform.empty() ? "" : " --platform " + platform, shell_word(request.context));
}

}  // namespace

std::string failure_text(const Ended& build, const Error& error) {
  std::string text = fmt::format("\n Failed after {}: {}", duration_text(build.took), steps_text(build));
  if (build.totals.failed_emulated)
    text += fmt::format("; the step ran {} under emulation", build.totals.failed_platform);
  text += "\n";
  const auto place = frontend::dockerfile::place_of_excerpt(error.excerpt);
  return place ? text + look_inside(build, place->line) : text;
}

}  // namespace mbuild::cli
