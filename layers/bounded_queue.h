#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace mbuild::image {

// Hands values from threads to threads, in order. After close() nothing more goes in; after abandon() nothing comes out
// either. All members may be called from any thread.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // Waits for room; false when the queue was closed.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [&] { return closed_ || values_.size() < capacity_; });
    if (closed_) return false;
    values_.push_back(std::move(value));
    has_value_.notify_one();
    return true;
  }

  // Waits for a value; none when the queue was closed and is empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    has_value_.wait(lock, [&] { return closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value = std::move(values_.front());
    values_.pop_front();
    has_room_.notify_one();
    return value;
  }

  void close() { finish(false); }
  void abandon() { finish(true); }

 private:
  void finish(bool drop) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (drop) values_.clear();
    has_value_.notify_all();
    has_room_.notify_all();
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable has_value_, has_room_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace mbuild::image
