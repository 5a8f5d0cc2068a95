#pragma once

#include <linux/seccomp.h>

#include <vector>

#include "base/fd.h"

// The programs of a sandbox may run before its network is there, which takes longer than all else. By a socket they
// would find it empty, or find in it what is not to be reached: the filter stops at those calls (with_held_sockets),
// and they wait here. What has no need of it never waits.
namespace mbuild::executor {

class HeldSockets {
 public:
  // In `coming`, which is to outlive this, there is something to be read when the network is there, and nothing ever
  // reads it; none: it is there.
  explicit HeldSockets(const Fd& coming) : coming_(coming.get()), is_there_(!coming) {}

  // What to wait for (POLLIN); -1 when there is nothing to wait for.
  int coming() const { return coming_; }
  // What was waited for: answers what has waited, or, where it has hung up without a word, holds it until all ends.
  void take(int events, int listener);
  // Keeps a request until the network is there; false when it is: then it can be answered.
  bool hold(const seccomp_notif& request);

 private:
  int coming_;
  bool is_there_;
  std::vector<seccomp_notif> waiting_;
};

// Returns when the network is there, at once where it is not coming. Throws Error (host) when it never will be.
void wait_for_network(const Fd& coming);

}  // namespace mbuild::executor
