#include "executor/upkeep.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <array>

#include "base/feature.h"
#include "executor/collect.h"

extern char** environ;

namespace mbuild::executor {

void start_upkeep(const std::string& store_root) {
  if (feature_disabled("upkeep")) return;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  std::array<std::string, 3> words = {"mbuild", k_upkeep_argument, store_root};
  std::array<char*, 4> argv = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = -1;
  posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
}

}  // namespace mbuild::executor
