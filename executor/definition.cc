#include "executor/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "executor/api/source_policy.h"
#include "executor/api/vertex.h"
#include "executor/frontend_request.h"
#include "executor/repair.h"
#include "worker/jobs/jobs.h"

namespace mbuild::executor {
namespace {

// Runs what prepares the build as a vertex of the display.
template <class Work>
auto as_vertex(ProgressSink& sink, VertexId id, const std::string& name, const Work& work) {
  Vertex vertex(sink, {.id = id, .name = name});
  try {
    auto result = work();
    vertex.complete();
    return result;
  } catch (const Error& error) {
    vertex.fail(error.what());
    throw;
  }
}

Contexts::PrivilegedSelect privileged_select(BuildSession& session) {
  return [&session](int root, const std::vector<std::string>& ignore, const graph::FileAction& action) {
    auto reply = jobs::select_files(session.workplace.inner.get(), {ignore, action, duplicate(root)}, session.stop);
    return std::pair(std::move(reply.selection), std::move(reply.digest));
  };
}

bool has_neighbours(const BuildSession& session) { return session.targets.size() > 1; }

// "[internal] ..." in the display.
std::string internal_name(const Definition& target, const std::string& name) {
  return (target.label.empty() ? "[internal] " : "[" + target.request.name + " internal] ") + name;
}

// A directory for what the target is read from.
Scratch scratch_of(const BuildSession& session, std::uint32_t number) {
  return [&session, number] {
    const auto& own = session.place.directory.path();
    if (!has_neighbours(session)) return own;
    std::string scratch = fmt::format("{}/target-{}", own, number);
    make_directories(scratch, 0711);
    return scratch;
  };
}

Inputs read_reporting(BuildSession& session, const Definition& target) {
  if (session.request.source_policy) check_local_source(*session.request.source_policy, "dockerfile");
  const auto read = [&] {
    return read_inputs(session.request, target.request, scratch_of(session, target.number), session.stop);
  };
  Inputs inputs = is_remote_context(target.request)
                      ? as_vertex(session.sink, context_vertex(target.number),
                                  internal_name(target, "load remote build context " + target.request.context), read)
                      : read();
  target.result.dockerfile = sha256(inputs.dockerfile_text);
  return inputs;
}

frontend::Request request_of(BuildSession& session, Definition& target, const Neighbours& neighbours) {
  open_contexts(target.request, target.inputs, target.contexts);
  auto front = frontend_request({session.request, target.request, target.inputs, target.contexts, session.images,
                                 scratch_of(session, target.number)},
                                session.stop, target.result.warnings);
  const auto vertex = definition_vertex(target.number);
  front.note = [&sink = session.sink, vertex](const std::string& text) {
    sink.log({.id = vertex, .stream = 2, .data = text + "\n", .time = std::chrono::steady_clock::now()});
  };
  if (!has_neighbours(session)) return front;
  front.label = target.request.name;
  front.number = target.number;
  front.own_ids = neighbours.own_ids;
  front.linked = neighbours.linked;
  front.directory_of = [&contexts = target.contexts](const std::string& name) { return contexts.path_of(name); };
  return front;
}

frontend::Lowered lower_reporting(BuildSession& session, const Definition& target, const graph::Graph& onto) {
  const auto lower = [&] { return frontend::lower(target.front, &target.result.warnings, onto); };
  auto lowered = with_repairs(session.place.store, session.warn("DamagedStore"), [&] {
    return as_vertex(session.sink, definition_vertex(target.number),
                     internal_name(target, "load build definition from " + target.front.dockerfile.name), lower);
  });
  const auto& policy = session.request.source_policy;
  if (policy) apply_source_policy(*policy, lowered.graph);
  return lowered;
}

// An image that is labelled as one platform and made of another's base: told whatever becomes of the image.
void check_bases(const Definition& definition) {
  const auto& request = definition.request;
  if (request.arch_check == "off") return;
  for (const auto& image : definition.lowered.images) {
    if (!image.foreign_base) continue;
    const auto& warning = *image.foreign_base;
    if (request.arch_check == "error") {
      throw Error(ExitClass::step_failed, warning.message)
          .with_context("image for " + platforms::to_string(image.platform))
          .with_excerpt(frontend::dockerfile::excerpt(definition.front.dockerfile, warning.range))
          .with_advice(
              "Leave out --platform in this FROM, so that the base is of the image's platform, or build for the base's "
              "platform; --arch-check=warn builds it all the same.");
    }
    const auto is_known = [&](const auto& other) {
      return other.rule == warning.rule && other.message == warning.message;
    };
    auto& warnings = definition.result.warnings;
    if (!std::ranges::any_of(warnings, is_known)) warnings.push_back(warning);
  }
}

}  // namespace

Definition::Definition(BuildSession& session, std::uint32_t target, const Neighbours& neighbours)
    : request(session.targets[target]),
      result(session.results[target]),
      number(target),
      label(has_neighbours(session) ? "[" + request.name + "] " : ""),
      contexts(session.place.store, privileged_select(session)),
      inputs(read_reporting(session, *this)),
      front(request_of(session, *this, neighbours)),
      lowered(lower_reporting(session, *this, neighbours.graph)),
      epoch(epoch_of(request, lowered, inputs)) {
  check_bases(*this);
}

std::string Definition::excerpt(const graph::Graph& graph, graph::NodeId id) const {
  const auto& info = graph::info_for(graph, id, number);
  if (info.first_line == 0 || info.target != number) return {};
  return frontend::dockerfile::excerpt(front.dockerfile, {info.first_line, info.last_line});
}

}  // namespace mbuild::executor
