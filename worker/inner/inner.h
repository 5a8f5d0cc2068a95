#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "worker/ids/id_map.h"

// The outer side of the two processes (design, section 7): starts the inner process and asks it to run operations.
namespace mbuild::executor {

struct InnerOptions {
  IdMap map;
  bool user_namespace = true;              // false: --security=insecure as real root
  bool namespaces = true;                  // false: none at all; only jobs that mount nothing work
  int join = -1;                           // a user namespace with this map to be in, in the place of a new one
  std::string program = "/proc/self/exe";  // whose main calls inner_main for argv[1] == k_inner_argument
};

class Inner {
 public:
  // Starts the process and waits until it answers. Thread-safe. Throws Error (host) with advice.
  static std::unique_ptr<Inner> start(const InnerOptions& options);
  // Kills every process of the inner and waits for their end; no call may be under way.
  ~Inner();
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

  const Fd& process() const { return process_; }

  // Runs a registered operation in a process of its own inside, handing it duplicates of `fds`; returns its result.
  // Throws what the operation threw as Error; Cancelled when stop was requested, after every process of the operation
  // is dead. Callable from many threads at once.
  std::string call(std::string_view operation, std::string payload, std::span<const int> fds = {},
                   std::stop_token stop = {});

  // Registers binfmt_misc lines in the private instance of the inner's user namespace; known names are kept. Throws
  // Error (host) when the host has no such instances. See binfmt.h for the way round.
  void register_binfmt(const std::vector<std::string>& lines);

 private:
  Inner(Fd control, Fd process) : control_(std::move(control)), process_(std::move(process)) {}
  std::string request(char type, std::string_view operation, std::string payload, std::span<const int> fds,
                      std::stop_token stop);
  void cancel(std::uint64_t id);

  Fd control_;
  Fd process_;  // pidfd
  std::atomic<std::uint64_t> next_id_ = 1;
};

}  // namespace mbuild::executor
