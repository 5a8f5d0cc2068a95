#include "executor/sources/transfer_log.h"

#include <fmt/format.h>

#include <utility>

namespace mbuild::executor {

using State = remote::Transfer::State;

void TransferLog::operator()(const remote::Transfer& transfer) {
  const std::string name = (transfer.upload ? "push to " : "pull from ") + transfer.repository;
  const std::lock_guard lock(mutex_);
  Vertex& vertex = vertices_[name];
  if (vertex.id == 0) {
    vertex.id = ++last_;
    report(vertex.id, VertexState::started, name);
  }
  const auto [found, fresh] = vertex.under_way.try_emplace(transfer.id, transfer.digest);
  if (fresh && found->second.empty()) found->second = fmt::format("layer {}", ++vertex.streams);
  const bool ended = transfer.state != State::under_way;
  const StatusEvent event{.id = vertex.id,
                          .part = found->second,
                          .current = transfer.current,
                          .total = transfer.total,
                          .done = transfer.state == State::done,
                          .ended = ended,
                          .time = std::chrono::steady_clock::now()};
  if (!ended) return sink_.status(event);
  vertex.under_way.erase(found);
  // What is sent while it is made is given up when it turns out that the registry has it.
  if (transfer.state == State::failed && !transfer.digest.empty()) ++vertex.failed;
  const bool failed = vertex.failed > 0, last = vertex.under_way.empty();
  if (last) vertices_.erase(name);
  sink_.status(event);
  if (last) report(event.id, failed ? VertexState::cancelled : VertexState::completed, name);
}

void TransferLog::report(VertexId id, VertexState state, const std::string& name) {
  VertexEvent event{.id = id, .state = state, .name = name};
  event.time = std::chrono::steady_clock::now();
  sink_.vertex(event);
}

}  // namespace mbuild::executor
