#include "remote/transfer.h"

#include <atomic>
#include <utility>

namespace mbuild::remote {
namespace {

constexpr std::chrono::milliseconds k_interval{300};

std::uint64_t next_transfer_id() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace

TransferMeter::TransferMeter(const TransferListener& listener, Transfer transfer)
    : listener_(listener), transfer_(std::move(transfer)) {
  transfer_.id = next_transfer_id();
}

TransferMeter::~TransferMeter() {
  if (told_ && transfer_.state == Transfer::State::under_way) tell(Transfer::State::failed);
}

void TransferMeter::advance(std::uint64_t bytes) {
  transfer_.current += bytes;
  if (!listener_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!last_) last_ = now;  // from here on: what came before were the registry's thoughts
  if (now - *last_ < k_interval) return;
  last_ = now;
  tell(Transfer::State::under_way);
}

void TransferMeter::done(const Digest& digest) {
  transfer_.digest = digest;
  if (told_) tell(Transfer::State::done);
  transfer_.state = Transfer::State::done;
}

void TransferMeter::tell(Transfer::State state) {
  told_ = true;
  transfer_.state = state;
  try {
    listener_(transfer_);
  } catch (...) {  // nobody can be told; the transfer goes on
  }
}

}  // namespace mbuild::remote
