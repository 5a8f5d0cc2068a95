#pragma once

#include <cstdint>

#include "containers/shelf.h"

namespace mbuild::containers {

// What the processes of a container have used, and use, as /proc tells it.
struct Usage {
  double cpu_seconds = 0;                // of those that live
  std::uint64_t memory = 0;              // bytes: what is theirs alone, and a share of the rest
  std::uint64_t received = 0, sent = 0;  // bytes, by its network
  std::uint64_t read = 0, written = 0;   // bytes, of disks
  std::uint64_t processes = 0;
};

// Throws Error (usage) where it does not run.
Usage usage_of(const Container& container);

// Bytes of the files that it has written or changed, of which the caller may see the size.
std::uint64_t written_bytes(const Container& container);

// Of the host.
std::uint64_t total_memory();

}  // namespace mbuild::containers
