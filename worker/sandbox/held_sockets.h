#pragma once

#include <linux/seccomp.h>

#include <vector>

#include "base/fd.h"

// The programs of a sandbox may run before its network is there, which takes longer than all else. By a socket of the
// families that see the network they would find it empty: the filter stops at those calls (with_held_sockets), and they
// wait here. What has no need of it never waits.
namespace mbuild::executor {

class HeldSockets {
 public:
  // `coming`, which is to outlive this, hangs up when the network is there; none: it is.
  explicit HeldSockets(const Fd& coming) : coming_(coming.get()) {}

  // What to wait for; -1 when the network is there.
  int coming() const { return coming_; }
  // Keeps a request until the network is there; false when it is: then it can be answered.
  bool hold(const seccomp_notif& request);
  // The network is there: answers what has waited.
  void release(int listener);

 private:
  int coming_;
  std::vector<seccomp_notif> waiting_;
};

// Returns when `coming` has hung up, at once where it is none.
void wait_for_network(const Fd& coming);

}  // namespace mbuild::executor
