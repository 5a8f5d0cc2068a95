#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "containers/attend.h"
#include "containers/shelf.h"

// Sitting before a container that another process attends, and leaving it.
namespace mbuild::containers {

// The keys by which a terminal is left: "ctrl-p,ctrl-q", as docker writes them; "" are none. Throws Error (usage).
std::string parse_detach_keys(const std::string& text);
inline constexpr const char* k_usual_detach_keys = "ctrl-p,ctrl-q";

// Looks for keys in what is typed.
class KeyScanner {
 public:
  explicit KeyScanner(std::string keys) : keys_(std::move(keys)) {}
  // What is to be passed on; what may be the beginning of the keys is held back. Nothing once they were typed.
  std::optional<std::string> pass(std::string_view typed);

 private:
  const std::string keys_;
  std::size_t seen_ = 0;
};

// The ends of a container's streams that somebody has who sits before it.
struct Attached {
  Fd out, err;  // pipes, to be read
  Fd input;     // its terminal, or what its standard input is read from; none: it has none
  Fd caller;    // a socket: the status, when it has ended
  Fd process;   // its first process
  bool terminal = false;
};

// The pipes of somebody who will sit before a container, and the sides of them that its process gets.
struct Invitation {
  Attached own;
  Listener listener;
};
Invitation invite(bool terminal);

// Sits down before one that runs. Throws Error (usage) where it does not.
Attached attach_to(const Container& container);

// Until it has ended: its status. Nothing where the keys were typed, or the terminal has gone: it runs on then. Other
// signals are passed on, but those that a terminal sends.
std::optional<int> sit(Attached attached, const Streams& streams, const std::string& keys);

}  // namespace mbuild::containers
