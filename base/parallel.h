#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace mbuild::executor {

// How many threads are worth starting; at least one.
inline unsigned core_count() { return std::max(1U, std::thread::hardware_concurrency()); }

// Calls work(i) for each i below `count`, on at most `threads` threads (the calling one is among them), in no order.
// The first exception ends the hand-out of work and is thrown again here, after all threads have come to rest.
template <typename Work>
void parallel_for(std::size_t count, unsigned threads, Work work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        next = count;
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    const std::size_t wanted = std::min<std::size_t>(std::max(threads, 1U), count);
    for (std::size_t i = 1; i < wanted; ++i) helpers.emplace_back(loop);
    loop();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace mbuild::executor
