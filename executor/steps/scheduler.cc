#include "executor/steps/scheduler.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "executor/sources/cache_import.h"

namespace mbuild::executor {
namespace {

constexpr std::chrono::milliseconds k_try_again{100};

class PlanRun {
 public:
  PlanRun(const planner::Plan& plan, const SchedulerLimits& limits,
          const std::function<bool(graph::NodeId)>& is_emulated,
          const std::function<void(graph::NodeId, std::stop_token)>& step)
      : plan_(plan),
        limits_{std::max(1U, limits.jobs), std::max(1U, limits.emulated_jobs)},
        is_emulated_(is_emulated),
        step_(step),
        inputs_left_(plan.inputs_left),
        unfinished_(plan.order.size()) {
    for (const auto id : plan.order) {
      if (inputs_left_[id] == 0) make_ready(id);
    }
  }

  void execute(std::stop_token stop) {
    const std::stop_callback forward(stop, [this] { abandon(nullptr); });
    {
      std::unique_lock lock(mutex_);
      wake(runnable());
      while (working_ > 0) {
        if (short_of_threads_) {
          ended_.wait_for(lock, k_try_again);
          short_of_threads_ = false;
          if (working_ > 0) wake(runnable());
        } else {
          ended_.wait(lock);
        }
      }
    }
    threads_.clear();
    if (failure_) std::rethrow_exception(failure_);
    if (stop.stop_requested()) throw Cancelled();
  }

 private:
  struct Ready {
    std::int64_t remaining_ms;
    graph::NodeId id;
    bool operator<(const Ready& other) const {
      return remaining_ms != other.remaining_ms ? remaining_ms > other.remaining_ms : id < other.id;
    }
  };

  void make_ready(graph::NodeId id) {
    (is_emulated_(id) ? ready_emulated_ : ready_).insert({plan_.remaining_ms[id], id});
  }

  bool is_over() const { return unfinished_ == 0 || draining_ || stopping_.stop_requested(); }

  // How many steps could start now.
  std::size_t runnable() const {
    if (is_over()) return 0;
    return ready_.size() + std::min<std::size_t>(ready_emulated_.size(), limits_.emulated_jobs - emulated_running_);
  }

  // Has `count` more threads look for something to do. Threads come into being when there is work for them: a chain of
  // steps is run by one, which goes on with the next step itself.
  void wake(std::size_t count) {
    const auto waiting = std::min(count, idle_);
    for (std::size_t i = 0; i < waiting; ++i) changed_.notify_one();
    for (std::size_t i = waiting; i < count && threads_.size() < limits_.jobs; ++i) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {  // the host allows no more now: those that there are do the work
        if (working_ == 0) throw;
        short_of_threads_ = true;
        ended_.notify_one();
        return;
      }
      ++working_;
    }
  }

  // Of the two queues the head with the longer way to go, where the limit of emulated steps allows it.
  graph::NodeId take(bool& emulated) {
    const bool may_emulate = !ready_emulated_.empty() && emulated_running_ < limits_.emulated_jobs;
    emulated = may_emulate && (ready_.empty() || *ready_emulated_.begin() < *ready_.begin());
    auto& queue = emulated ? ready_emulated_ : ready_;
    const auto id = queue.begin()->id;
    queue.erase(queue.begin());
    if (emulated) ++emulated_running_;
    return id;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (wait_for_work(lock) && run_one(lock)) {
    }
    --working_;
    ended_.notify_one();
  }

  bool wait_for_work(std::unique_lock<std::mutex>& lock) {
    ++idle_;
    changed_.wait(lock, [this] { return is_over() || runnable() > 0; });
    --idle_;
    return !is_over();
  }

  // False when the step failed.
  bool run_one(std::unique_lock<std::mutex>& lock) {
    bool emulated = false;
    const auto id = take(emulated);
    lock.unlock();
    bool done = false;
    try {
      step_(id, stopping_.get_token());
      done = true;
    } catch (const PromiseBroken&) {
      drain(std::current_exception());
    } catch (...) {
      abandon(std::current_exception());
    }
    lock.lock();
    if (emulated) --emulated_running_;
    if (!done) return false;
    --unfinished_;
    for (const auto user : plan_.users[id]) {
      if (--inputs_left_[user] == 0) make_ready(user);
    }
    if (is_over()) {
      changed_.notify_all();
    } else if (const auto count = runnable(); count > 1) {
      wake(count - 1);
    }
    return true;
  }

  void drain(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = failure;
    draining_ = true;
    changed_.notify_all();
  }

  void abandon(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      // What fails is of more interest than what would be looked up again.
      if (failure && (!failure_ || draining_) && !stopping_.stop_requested()) failure_ = failure;
    }
    stopping_.request_stop();
    // The lock makes sure that no thread is between its check and its wait.
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  const planner::Plan& plan_;
  const SchedulerLimits limits_;
  const std::function<bool(graph::NodeId)>& is_emulated_;
  const std::function<void(graph::NodeId, std::stop_token)>& step_;

  std::mutex mutex_;
  std::condition_variable changed_;  // there is something to do, or no more
  std::condition_variable ended_;    // a thread has ended, or could not be made
  std::vector<std::jthread> threads_;
  std::size_t working_ = 0, idle_ = 0;  // threads that have not ended; those of them that wait
  std::stop_source stopping_;
  std::vector<std::uint32_t> inputs_left_;
  std::size_t unfinished_;
  std::set<Ready> ready_, ready_emulated_;
  unsigned emulated_running_ = 0;
  bool draining_ = false, short_of_threads_ = false;
  std::exception_ptr failure_;
};

}  // namespace

void run_plan(const planner::Plan& plan, const SchedulerLimits& limits,
              const std::function<bool(graph::NodeId)>& is_emulated,
              const std::function<void(graph::NodeId, std::stop_token)>& step, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled();
  PlanRun(plan, limits, is_emulated, step).execute(std::move(stop));
}

}  // namespace mbuild::executor
