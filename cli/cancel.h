#pragma once

#include <stop_token>
#include <thread>

#include "base/fd.h"

namespace mbuild::cli {

// The signals of a build. A broken connection or pipe is an error of whoever writes to it, never the end of the
// program. While this lives, the first Ctrl-C (or SIGTERM, or SIGHUP) requests stop, and a second one ends the program
// at once; what is ignored stays ignored. It must be made before any other thread.
class CancelOnSignal {
 public:
  CancelOnSignal();
  ~CancelOnSignal();
  CancelOnSignal(const CancelOnSignal&) = delete;
  CancelOnSignal& operator=(const CancelOnSignal&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  Fd wake_;  // ends the thread
  std::jthread thread_;
};

}  // namespace mbuild::cli
