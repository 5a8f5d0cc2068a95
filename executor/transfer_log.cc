#include "executor/transfer_log.h"

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
  auto& part = vertex.under_way[transfer.id];
  if (part.empty() && !transfer.digest.empty()) part = transfer.digest;
  if (part.empty()) part = fmt::format("layer {}", ++vertex.streams);
  sink_.status({.id = vertex.id,
                .part = part,
                .current = transfer.current,
                .total = transfer.total,
                .done = transfer.state == State::done,
                .time = std::chrono::steady_clock::now()});
  if (transfer.state == State::under_way) return;
  // An upload is given up also when it turns out that the registry has the blob.
  if (transfer.state == State::failed && !transfer.upload) ++vertex.failed;
  vertex.under_way.erase(transfer.id);
  if (!vertex.under_way.empty()) return;
  report(vertex.id, vertex.failed > 0 ? VertexState::cancelled : VertexState::completed, name);
  vertices_.erase(name);
}

void TransferLog::report(VertexId id, VertexState state, const std::string& name) {
  VertexEvent event{.id = id, .state = state, .name = name};
  event.time = std::chrono::steady_clock::now();
  sink_.vertex(event);
}

}  // namespace mbuild::executor
