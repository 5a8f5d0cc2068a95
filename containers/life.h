#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/fd.h"
#include "cache/locks.h"
#include "containers/shelf.h"

// The lives of a container, each from the start of its process to that one's end. A container that has ended may be
// started again before who waits for it has looked: so the file that is locked as long as one lasts tells of each, in
// their order, how it ended (docs/formats.md). Who waits has it open, and reads that of a container that is removed.
namespace mbuild::containers {

// How many lives have ended, by what the file says.
std::uint64_t lives_ended(const std::string& lock_path);

// Held by the process of a container; it is over when this goes.
class Life {
 public:
  // Throws Error (usage, EBUSY) where it runs already.
  explicit Life(const Container& container);
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life();

  void note_status(int status) { status_ = status; }

 private:
  cache::FileLock lock_;
  Fd file_;
  int status_;
};

// The life that a container had when it was read, be it over by then or not.
class SeenLife {
 public:
  explicit SeenLife(const Container& container);

  // Whether nobody lives in the container any more, or somebody else does.
  bool is_over() const;
  // Waits until it is over, so many seconds at most (forever where they are negative). False where it is not.
  bool wait(double seconds, const std::stop_token& stop = {}) const;
  // How it ended; nothing where its process was killed before it could tell.
  std::optional<int> status() const;

 private:
  Container seen_;
  Fd file_;
};

}  // namespace mbuild::containers
