#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

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

// Somebody else who hears what it writes: pipes; `err` is none where it has a terminal.
struct Listener {
  Fd out, err;
};

// The other sides of the container's streams.
struct Plugs {
  Fd in, out, err;  // pipes; or
  Fd terminal;      // the side that is not the container's
  std::vector<Listener> listeners = {};
};

// The operation of a request to sit before a container, with the descriptors of a Listener. It is answered (ready) with
// the descriptor that what is typed goes to, where there is one; the status is told by the same socket when it has
// ended (result).
inline constexpr const char* k_attach = "attach";

// The container's sides of pipes, and of the socket by which it reports.
struct Ends {
  Fd in, out, err, report;
};
// Pipes for a container without a terminal; `in` only where its standard input is open.
Ends connect(Plugs& plugs, bool open_stdin);

// Tells when the program runs, once, and when it has ended.
struct Milestones {
  // Called once, when it runs, with the process and with what its input is written to (-1: it has none); may be empty.
  std::function<void(const Fd& process, int input)> on_start;
  // Takes the socket of somebody who sits before it from now on; empty: nobody may.
  std::function<void(Fd caller)> on_attached;
  int requests = -1;  // a listening socket: what comes by it is passed on to the container; -1: there is none
  Fd started;  // a socket: one message with the descriptors of the process and, where it has one, of the terminal
  Fd ended;    // readable then
  // What others still hold of its streams when it has ended is not waited for.
  bool leaves_others = false;
};

// Passes bytes and signals on until the container has ended and all that it wrote is written. Before it runs, a signal
// requests `stop`. A third Ctrl-C or SIGTERM kills a container that does not listen.
void attend(const Streams& streams, Plugs plugs, const Milestones& milestones, const std::function<void()>& stop);

// Gives a terminal the size of another; nothing happens where there is none.
void copy_window_size(int from, int to);

}  // namespace mbuild::containers
