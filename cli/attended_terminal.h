#pragma once

#include <termios.h>

#include <functional>

#include "base/fd.h"
#include "containers/attach.h"
#include "containers/attend.h"

// What a command that attends a container needs of its own process.
namespace mbuild::cli {

// While this lives, what is typed at the terminal reaches the container as it is: the keys that are signals, too.
// Nothing happens where `terminal` is none.
class RawTerminal {
 public:
  explicit RawTerminal(int terminal);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int terminal_;
  termios before_ = {};
};

// A descriptor (signalfd) of the signals that are passed on to a container; they do nothing else from now on. What is
// ignored stays ignored. Before any thread is started.
Fd signals_for_container();

// Calls `attended` with the streams of this process; its terminal is raw meanwhile where the container has one. Throws
// Error (usage) where a terminal is asked for and standard input, which is to be passed on, is none.
int attend_from_here(bool terminal, bool open_stdin, const std::function<int(const containers::Streams&)>& attended);

// Sits with the streams of this process before a container that another one attends, which `begin` has started or
// found: its status, 0 where it was left. Throws as attend_from_here does.
int sit_from_here(bool terminal, bool open_stdin, const std::string& keys,
                  const std::function<containers::Attached()>& begin);

}  // namespace mbuild::cli
