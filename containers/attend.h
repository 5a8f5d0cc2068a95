#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"

// A running container and whoever sits before it: bytes and signals, both ways.
namespace mbuild::containers {

// The streams of whoever attends; they are borrowed.
struct Streams {
  int in = -1;  // -1: nothing is read
  // Where what it writes goes: 1 stdout (and a terminal), 2 stderr. It throws Error where nobody listens.
  std::function<void(int stream, std::string_view bytes)> write;
  int signals = -1;  // a signalfd, with the signals that are passed on; -1: none are
  int window = -1;   // a terminal whose size the container's has; -1: there is none
};

// The other sides of the container's streams.
struct Plugs {
  Fd in, out, err;  // pipes; or
  Fd terminal;      // the side that is not the container's
};

// Tells when the program runs, once, and when it has ended.
struct Milestones {
  // Called once with the process when it runs; may be empty.
  std::function<void(const Fd& process)> on_start;
  int requests = -1;  // a listening socket: what comes by it is passed on to the container; -1: there is none
  Fd started;  // a socket: one message with the descriptors of the process and, where it has one, of the terminal
  Fd ended;    // readable then
};

// Passes bytes and signals on until the container has ended and all that it wrote is written. Before it runs, a signal
// requests `stop`. A third Ctrl-C or SIGTERM kills a container that does not listen.
void attend(const Streams& streams, Plugs plugs, const Milestones& milestones, const std::function<void()>& stop);

// Gives a terminal the size of another; nothing happens where there is none.
void copy_window_size(int from, int to);

}  // namespace mbuild::containers
