#include "executor/definition.h"

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
#include "executor/sources/remote_context.h"
#include "worker/jobs/jobs.h"

namespace mbuild::executor {
namespace {

// Runs what prepares the build as a vertex of the display.
template <class Work>
auto as_vertex(ProgressSink& sink, VertexId id, const std::string& name, const Work& work) {
  Vertex vertex(sink, {.id = id, .name = "[internal] " + name});
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

Inputs read_reporting(BuildSession& session) {
  const auto& request = session.request;
  if (request.source_policy) check_local_source(*request.source_policy, "dockerfile");
  const auto read = [&] { return read_inputs(request, session.place.directory.path(), session.stop); };
  Inputs inputs = is_remote_context(request)
                      ? as_vertex(session.sink, k_context_vertex, "load remote build context " + request.context, read)
                      : read();
  session.result.dockerfile = sha256(inputs.dockerfile_text);
  return inputs;
}

frontend::Request request_of(BuildSession& session, const Inputs& inputs, Contexts& contexts) {
  open_contexts(session.request, inputs, contexts);
  auto front = frontend_request({session.request, inputs, contexts, session.images, session.place.directory.path()},
                                session.stop, session.result.warnings);
  front.note = [&sink = session.sink](const std::string& text) {
    sink.log({.id = k_definition_vertex, .stream = 2, .data = text + "\n", .time = std::chrono::steady_clock::now()});
  };
  return front;
}

frontend::Lowered lower_reporting(BuildSession& session, const frontend::Request& front) {
  const auto lower = [&] { return frontend::lower(front, &session.result.warnings); };
  auto lowered = with_repairs(session.place.store, session.warn("DamagedStore"), [&] {
    return as_vertex(session.sink, k_definition_vertex, "load build definition from " + front.dockerfile.name, lower);
  });
  const auto& policy = session.request.source_policy;
  if (policy) apply_source_policy(*policy, lowered.graph);
  return lowered;
}

planner::Plan plan_of(BuildSession& session, const frontend::Lowered& lowered) {
  std::vector<graph::Ref> roots;
  for (const auto& image : lowered.images) {
    if (image.root) roots.push_back(*image.root);
  }
  auto& store = session.place.store;
  return with_repairs(store, session.warn("DamagedStore"), [&] {
    return planner::make_plan(lowered.graph, roots, [&](const Digest& key) { return store.expected_duration_ms(key); });
  });
}

// An image that is labelled as one platform and made of another's base: told whatever becomes of the image.
void check_bases(const BuildSession& session, const Definition& definition) {
  const auto& request = session.request;
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
    auto& warnings = session.result.warnings;
    if (!std::ranges::any_of(warnings, is_known)) warnings.push_back(warning);
  }
}

}  // namespace

Definition::Definition(BuildSession& session)
    : contexts(session.place.store, privileged_select(session)),
      inputs(read_reporting(session)),
      front(request_of(session, inputs, contexts)),
      lowered(lower_reporting(session, front)),
      plan(plan_of(session, lowered)),
      epoch(epoch_of(session.request, lowered, inputs)) {
  check_bases(session, *this);
}

std::string Definition::excerpt(graph::NodeId id) const {
  const auto& info = lowered.graph.info[id].front();
  if (info.first_line == 0) return {};
  return frontend::dockerfile::excerpt(front.dockerfile, {info.first_line, info.last_line});
}

}  // namespace mbuild::executor
