#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "base/strings.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/frontend.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/outline.h"
#include "frontend/lower/state.h"

namespace mbuild::frontend {
namespace lowering {
namespace {

constexpr const char* k_check_argument = "BUILDKIT_DOCKERFILE_CHECK";
constexpr const char* k_syntax_argument = "BUILDKIT_SYNTAX";

// The rules that look at the text alone are judged anew when a build argument replaces the check= directive.
std::vector<dockerfile::Warning> text_warnings(const Shared& shared) {
  const dockerfile::Dockerfile& file = shared.request.dockerfile;
  if (!shared.request.build_args.contains(k_check_argument)) return file.warnings;
  dockerfile::Dockerfile copy = file;
  copy.check = shared.check;
  return dockerfile::lint_text(copy);
}

// A stage or a context whose name is like this one of an image; "" where there is none.
std::string near_name(const Lowering& lowering, const Stage& stage) {
  if (stage.base_text.find_first_of("/:@.") != std::string::npos) return "";
  std::vector<std::string> known;
  for (const Stage& other : lowering.stages) {
    if (!other.name.empty() && &other != &stage) known.push_back(other.name);
  }
  for (const auto& [name, value] : lowering.shared.request.contexts) known.push_back(name);
  return nearest(stage.base_text, known);
}

// COPY --from=biuld: said before a registry is asked for an image of that name.
void note_near_names(const std::deque<Lowering>& lowerings, const std::vector<ImageQuery>& queries) {
  std::set<std::string> noted;
  for (const Lowering& lowering : lowerings) {
    if (!lowering.shared.request.note) return;
    for (const Stage& stage : lowering.stages) {
      const bool is_asked = stage.query && std::ranges::find(queries, *stage.query) != queries.end();
      if (stage.source != nullptr || !is_asked || stage.context != nullptr) continue;
      const std::string meant = near_name(lowering, stage);
      if (meant.empty() || edit_distance(meant, stage.base_text) > 2 || !noted.insert(stage.base_text).second) continue;
      lowering.shared.request.note(fmt::format(
          "{} is no stage and no context of this build (did you mean {}?): an image of that name is looked for",
          stage.base_text, meant));
    }
  }
}

// The language that a file or a build argument asks for: an image of another name than docker/dockerfile and its
// mirrors has another one.
void note_foreign_language(const Shared& shared) {
  const auto given = shared.request.build_args.find(k_syntax_argument);
  const auto& asked = given != shared.request.build_args.end() ? given->second : shared.request.dockerfile.syntax;
  const std::string image = asked.substr(0, asked.find(' '));
  const std::string last = image.substr(image.rfind('/') + 1);
  if (image.empty() || last.starts_with("dockerfile") || !shared.request.note) return;
  shared.request.note(
      fmt::format("the frontend {} is not run: the file is read as a Dockerfile of mbuild's own language", image));
}

// What a mistyped image may have meant: a stage of the file or a well-known image.
std::string image_suggestion(const Lowering& lowering, const Stage& stage) {
  std::vector<std::string> known = {"alpine", "busybox", "centos", "debian", "fedora", "golang", "ubuntu"};
  for (const Stage& other : lowering.stages) {
    if (!other.name.empty()) known.push_back(other.name);
  }
  for (const auto& [name, value] : lowering.shared.request.contexts) known.push_back(name);
  const std::string meant = nearest(stage.base_text, known);
  return meant.empty() ? "" : "did you mean " + meant + "?";
}

// Shows the FROM whose image could not be had.
Error with_place_of_image(const std::deque<Lowering>& lowerings, Error error, const ImageQuery& query) {
  for (const Lowering& lowering : lowerings) {
    for (const Stage& stage : lowering.stages) {
      if (stage.query != query) continue;
      if (error.advice.empty()) {
        error.advice = image_suggestion(lowering, stage);
      } else if (const auto meant = near_name(lowering, stage); !meant.empty()) {
        error.advice =
            fmt::format("No stage or context is called {}: did you mean {}? {}", stage.base_text, meant, error.advice);
      }
      return with_place(lowering, std::move(error), stage.range);
    }
  }
  return error;
}

void ask(Shared& shared, const std::vector<ImageQuery>& queries) {
  std::vector<ResolvedImage> images = shared.request.resolve(queries);
  if (shared.checking && images.empty()) return;
  for (std::size_t i = 0; i < queries.size(); ++i) shared.images.emplace(queries[i], std::move(images.at(i)));
}

// Check mode: what can't be had is noted, the first reason is kept.
void ask_one_by_one(Shared& shared, const std::vector<ImageQuery>& queries, const std::deque<Lowering>& lowerings,
                    std::optional<Error>& failure) {
  for (const ImageQuery& query : queries) {
    try {
      if (shared.request.resolve) ask(shared, {query});
    } catch (Error& error) {
      if (!failure) failure = with_place_of_image(lowerings, std::move(error), query);
    }
    if (!shared.images.contains(query)) shared.unavailable.insert(query);
  }
}

// All platforms' questions of one round, each once, that have no answer yet.
std::vector<ImageQuery> open_questions(Shared& shared, std::deque<Lowering>& lowerings, bool all_stages) {
  std::set<ImageQuery> queries;
  for (Lowering& lowering : lowerings) {
    mark_reachable(lowering, all_stages);
    for (ImageQuery& query : locate_bases(lowering)) queries.insert(std::move(query));
  }
  shared.problems.throw_if_any(shared.request.dockerfile);
  std::vector<ImageQuery> open;
  std::ranges::copy_if(queries, std::back_inserter(open), [&](const ImageQuery& query) {
    return !shared.images.contains(query) && !shared.unavailable.contains(query);
  });
  return open;
}

void resolve_images(Shared& shared, std::deque<Lowering>& lowerings, std::optional<Error>& failure) {
  const bool all_stages = shared.checking && !shared.outlining && shared.request.target.empty();
  for (bool more = true; more;) {
    const std::vector<ImageQuery> queries = open_questions(shared, lowerings, all_stages);
    note_near_names(lowerings, queries);
    if (!queries.empty() && shared.checking) {
      ask_one_by_one(shared, queries, lowerings, failure);
    } else if (!queries.empty()) {
      try {
        ask(shared, queries);
      } catch (const ImageUnavailable& error) {
        throw with_place_of_image(lowerings, error, error.query);
      }
    }
    more = false;
    for (Lowering& lowering : lowerings) more = fire_triggers(lowering) || more;
  }
}

void check_violations(const Shared& shared, const std::vector<dockerfile::Warning>& warnings) {
  if (!shared.check.error) return;
  const std::string message = dockerfile::violation_message(warnings);
  if (!message.empty()) {
    throw usage_error(message).with_advice("mend what the warnings point at, or leave check=error=true out");
  }
}

struct Outcome {
  std::vector<dockerfile::Warning> warnings;
  std::vector<LoweredImage> images;
  std::optional<std::int64_t> epoch;
  Outline outline;
};

void lower_all(Shared& shared, std::deque<Lowering>& lowerings, std::optional<Error>& failure, Outcome& outcome) {
  read_contexts(shared);
  for (Lowering& lowering : lowerings) {
    check_descriptions(lowering);
    make_global_args(lowering);
    resolve_epoch(lowering);
    make_stages(lowering);
  }
  shared.problems.throw_if_any(shared.request.dockerfile);
  resolve_images(shared, lowerings, failure);
  for (Lowering& lowering : lowerings) dispatch_stages(lowering);
  shared.problems.throw_if_any(shared.request.dockerfile);
  if (shared.outlining) outcome.outline = make_outline(lowerings.front());
  for (Lowering& lowering : lowerings) {
    if (!shared.checking) outcome.images.push_back(finish_image(lowering));
  }
  if (!lowerings.empty()) outcome.epoch = lowerings.front().epoch;
}

// Runs everything; an Error leaves the warnings that were found before it in `outcome`.
void run(Shared& shared, Outcome& outcome) {
  std::deque<Lowering> lowerings;
  for (const platforms::Platform& platform : shared.request.platforms) lowerings.emplace_back(shared, platform);
  std::optional<Error> failure;
  std::exception_ptr stopped;
  try {
    lower_all(shared, lowerings, failure, outcome);
  } catch (const Error&) {
    stopped = std::current_exception();
  }
  std::vector<std::vector<dockerfile::Warning>> found;
  for (Lowering& lowering : lowerings) found.push_back(std::move(lowering.warnings));
  if (found.empty()) found.emplace_back();
  const std::vector<dockerfile::Warning> of_text = text_warnings(shared);
  for (auto& warnings : found) warnings.insert(warnings.end(), of_text.begin(), of_text.end());
  outcome.warnings = merge_warnings(found);
  if (failure && !shared.outlining) throw *failure;
  if (stopped) std::rethrow_exception(stopped);
  check_violations(shared, outcome.warnings);
}

}  // namespace

Shared::Shared(const Request& build_request) : request(build_request), check(build_request.dockerfile.check) {
  const auto given = request.build_args.find(k_check_argument);
  if (given != request.build_args.end()) check = dockerfile::parse_check_options(given->second);
  // The language is the built-in one whatever is named, but something has to be.
  const auto syntax = request.build_args.find(k_syntax_argument);
  if (syntax != request.build_args.end() && trim(syntax->second).empty()) {
    throw usage_error(fmt::format("the build argument {} is empty: invalid reference format", k_syntax_argument))
        .with_advice("leave it out for the built-in Dockerfile language");
  }
}

Error with_place(const Lowering& lowering, Error error, dockerfile::Range range) {
  if (error.excerpt.empty() && range.first > 0) {
    error.excerpt = dockerfile::excerpt(lowering.shared.request.dockerfile, range);
  }
  return error;
}

}  // namespace lowering

Lowered lower(const Request& request, std::vector<dockerfile::Warning>* warnings, graph::Graph onto) {
  lowering::Shared shared(request);
  shared.graph = std::move(onto);
  lowering::Outcome outcome;
  lowering::note_foreign_language(shared);
  try {
    lowering::run(shared, outcome);
  } catch (const Error&) {
    if (warnings != nullptr) *warnings = std::move(outcome.warnings);
    throw;
  }
  Lowered lowered;
  lowered.graph = std::move(shared.graph);
  lowered.images = std::move(outcome.images);
  lowered.source_date_epoch = outcome.epoch;
  if (warnings != nullptr) *warnings = outcome.warnings;
  lowered.warnings = std::move(outcome.warnings);
  return lowered;
}

CheckResult check(const Request& request) {
  CheckResult result;
  lowering::Outcome outcome;
  try {
    lowering::Shared shared(request);
    shared.checking = true;
    lowering::run(shared, outcome);
  } catch (Error& error) {
    result.error = std::move(error);
  }
  result.warnings = std::move(outcome.warnings);
  return result;
}

Outline outline(const Request& request) {
  lowering::Shared shared(request);
  shared.checking = shared.outlining = true;
  lowering::Outcome outcome;
  lowering::run(shared, outcome);
  return std::move(outcome.outline);
}

}  // namespace mbuild::frontend
