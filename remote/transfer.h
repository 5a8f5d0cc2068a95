#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/digest.h"

namespace mbuild::remote {

// How far a blob has got on its way from or to a registry.
struct Transfer {
  std::uint64_t id = 0;    // tells the transfers of a program apart
  std::string repository;  // "docker.io/library/alpine"
  bool upload = false;
  Digest digest;                         // "": not known yet, the blob is still being made
  std::uint64_t current = 0, total = 0;  // bytes; total 0: not known
  enum class State { under_way, done, failed } state = State::under_way;
};

// Told now and then of transfers that take their time; called from many threads.
using TransferListener = std::function<void(const Transfer&)>;

// Counts the bytes of one transfer. Nothing is told of a short one, and the end of every one of which something was.
class TransferMeter {
 public:
  TransferMeter(const TransferListener& listener, Transfer transfer);
  TransferMeter(const TransferMeter&) = delete;
  TransferMeter& operator=(const TransferMeter&) = delete;
  ~TransferMeter();  // failed, unless done

  void advance(std::uint64_t bytes);
  void restart() { transfer_.current = 0; }
  void done(const Digest& digest);

 private:
  void tell(Transfer::State state);

  const TransferListener& listener_;
  Transfer transfer_;
  bool told_ = false;
  std::optional<std::chrono::steady_clock::time_point> last_;  // when it was told, or the first byte came
};

}  // namespace mbuild::remote
