#include "executor/sources/transfer_log.h"

#include <fmt/format.h>

#include <utility>

namespace mbuild::executor {

using State = remote::Transfer::State;

void TransferLog::operator()(const remote::Transfer& transfer) {
  const std::string name = (transfer.upload ? "push to " : "pull from ") + transfer.repository;
  const std::lock_guard lock(mutex_);
  auto entry = under_way_.find(name);
  if (entry == under_way_.end()) {
    entry = under_way_.emplace(name, UnderWay{.vertex = Vertex(sink_, {.id = next_++, .name = name})}).first;
  }
  UnderWay& now = entry->second;
  const auto [found, fresh] = now.parts.try_emplace(transfer.id, transfer.digest);
  if (fresh && found->second.empty()) found->second = fmt::format("layer {}", ++now.streams);
  const bool ended = transfer.state != State::under_way;
  const StatusEvent event{.id = now.vertex.id(),
                          .part = found->second,
                          .current = transfer.current,
                          .total = transfer.total,
                          .done = transfer.state == State::done,
                          .ended = ended,
                          .time = std::chrono::steady_clock::now()};
  if (!ended) return sink_.status(event);
  now.parts.erase(found);
  // What is sent while it is made is given up when it turns out that the registry has it.
  if (transfer.state == State::failed && !transfer.digest.empty()) ++now.failed;
  if (!now.parts.empty()) return sink_.status(event);
  UnderWay last = std::move(now);
  under_way_.erase(entry);
  sink_.status(event);
  last.failed > 0 ? last.vertex.cancel() : last.vertex.complete();
}

}  // namespace mbuild::executor
