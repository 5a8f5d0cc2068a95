#include "executor/describe.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "executor/frontend_request.h"
#include "executor/workplace.h"
#include "frontend/dockerfile/syntax.h"

namespace mbuild::executor {
namespace {

// What can't be read without the network is an error where nothing may be looked up.
const BuildRequest& offline_checked(const BuildRequest& request) {
  if (!request.offline) return request;
  const bool is_address = graph::is_http_address(request.dockerfile);
  if (!is_address && !is_remote_context(request)) return request;
  throw Error(ExitClass::usage, fmt::format("--offline looks nothing up, and {} is an address",
                                            is_address ? "the Dockerfile" : "the context"))
      .with_advice("Name a directory, or leave --offline out.");
}

// What a call needs to ask the frontend: the parts of a build before its graph.
struct Question {
  Question(const BuildRequest& request, const std::stop_token& stop)
      : asked(request),
        place(asked.store_root),
        images(place.store, image_options(asked, target_of(asked), asked.registries), stop),
        contexts(place.store, {}),
        inputs(read_inputs(asked, offline_checked(asked), [this] { return place.directory.path(); }, stop)) {
    open_contexts(asked, inputs, contexts);
  }
  ~Question() {
    std::error_code ignored;  // the next build sweeps what stays
    if (place.directory.is_made()) std::filesystem::remove_all(place.directory.path(), ignored);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  frontend::Request request(std::stop_token stop, std::vector<frontend::dockerfile::Warning>& warnings) {
    auto out = frontend_request({asked, asked, inputs, contexts, images, [this] { return place.directory.path(); }},
                                std::move(stop), warnings);
    if (!asked.offline) return out;
    out.resolve = [this](const std::vector<frontend::ImageQuery>& queries) -> std::vector<frontend::ResolvedImage> {
      for (const auto& query : queries) left_out.insert(query.reference);
      return {};
    };
    out.source_time = [this](const graph::SourceOp& source) -> std::optional<std::int64_t> {
      left_out.insert(graph::identifier_of(source));
      return std::nullopt;
    };
    return out;
  }

  const BuildRequest& asked;
  BuildStore place;
  ImageSources images;
  Contexts contexts;
  Inputs inputs;
  std::set<std::string> left_out;  // what was to be looked up, and was not
};

void take_error(const Error& error, CheckResult& result) {
  result.error = error.what();
  if (const auto place = frontend::dockerfile::place_of_excerpt(error.excerpt)) result.error_line = place->line;
}

}  // namespace

CheckResult run_check(const BuildRequest& request, std::stop_token stop) {
  CheckResult result;
  Question question(request, stop);
  result.dockerfile_name = question.inputs.dockerfile_name;
  result.dockerfile_text = question.inputs.dockerfile_text;
  try {
    const auto checked = frontend::check(question.request(stop, result.warnings));
    result.warnings = checked.warnings;
    if (checked.error) take_error(*checked.error, result);
  } catch (const Error& error) {
    take_error(error, result);  // the Dockerfile could not be parsed
  }
  result.left_out.assign(question.left_out.begin(), question.left_out.end());
  return result;
}

Described run_outline(const BuildRequest& request, std::stop_token stop) {
  Question question(request, stop);
  std::vector<frontend::dockerfile::Warning> warnings;
  auto outline = frontend::outline(question.request(stop, warnings));
  return {
      question.inputs.dockerfile_text, std::move(outline), {}, {question.left_out.begin(), question.left_out.end()}};
}

Described run_targets(const BuildRequest& request, std::stop_token stop) {
  Question question(request, stop);
  std::vector<frontend::dockerfile::Warning> warnings;
  return {question.inputs.dockerfile_text, {}, frontend::targets(question.request(stop, warnings).dockerfile), {}};
}

}  // namespace mbuild::executor
