#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "platforms/platform.h"
#include "worker/ids/id_map.h"
#include "worker/inner/inner.h"
#include "worker/sandbox/exec_plan.h"

namespace mbuild::executor {

// The inner process of a build, started when it is first needed: a fully cached build never starts it. Thread-safe.
class LazyInner {
 public:
  // ahead: at once, while the caller does something else; what goes wrong is thrown by who needs it
  enum class Begin { when_needed, ahead };
  // `emulators`: a directory for copies of emulators that ask for native equivalents (emu/accel/inject.h); "": none are
  // made.
  explicit LazyInner(IdMap map, std::string emulators = "", Begin begin = Begin::when_needed);

  // Where the host allows no user namespaces it has none, and file jobs alone work.
  Inner& get();
  // For a job that needs namespaces. Throws what is in their way.
  Inner& get_for_run();
  // One without a user namespace, for --security=insecure of a step of the host's own platform where is_hosts_root():
  // its programs are root of the host.
  Inner& get_hosts_root();
  bool started() const;
  // Ends it and every process of it. No call may be under way.
  void end();
  // The user namespace that it is to be in, before it is started: one with the same map, for what shares a network.
  void join(Fd user_namespace) { join_ = std::move(user_namespace); }
  const IdMap& map() const { return map_; }

  // Makes programs of the platform runnable in sandboxes; returns what runs them, for records ("" is the processor
  // itself). Decided once: by a private registration, which nobody can take away, or where there can be none by the
  // handler of the host; when that is gone the next way is taken. Throws Error (host) that names the remedy.
  std::string emulate(const platforms::Platform& platform);
  // The emulators of all platforms whose programs run because each exec is traced (exec_trace.h); none: no execs need
  // be.
  std::vector<Emulator> traced_emulators();
  // True when the platform's programs were run by a handler of the host that is gone: what failed may be tried again.
  bool has_lost_handler(const platforms::Platform& platform);

 private:
  void start();
  std::string asking_copy(const std::string& emulator) const;
  std::string arrange(const platforms::Platform& platform);
  bool is_gone(const platforms::Platform& platform) const;

  IdMap map_;
  std::string emulators_at_;
  mutable std::mutex mutex_;
  Fd join_;
  std::unique_ptr<Inner> inner_, hosts_root_;
  std::optional<Error> without_namespaces_;  // why it has none
  std::map<platforms::Platform, std::string> emulators_;
  std::map<std::string, Emulator> traced_;  // by the platform's name
  std::set<platforms::Platform> on_host_;   // run by handlers of the host
  std::jthread ahead_;                      // last: it starts the others
};

// True when the platform's programs do not run on the processor as they stand.
bool is_foreign(const platforms::Platform& platform);

}  // namespace mbuild::executor
