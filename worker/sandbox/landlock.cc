#include "worker/sandbox/landlock.h"

#include <linux/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

// Headers may be older than the kernel: the numbers are the same on all architectures.
namespace mbuild::executor {
namespace {

constexpr long k_create_ruleset = 444, k_restrict_self = 446;
constexpr unsigned k_ask_version = 1;
constexpr long k_version_with_scopes = 6;

struct RulesetAttributes {
  __u64 handled_access_fs = 0;
  __u64 handled_access_net = 0;
  __u64 scoped = 0;
};
constexpr __u64 k_scope_abstract_sockets = 1;

}  // namespace

void close_abstract_sockets() {
  if (::syscall(k_create_ruleset, nullptr, 0, k_ask_version) < k_version_with_scopes) return;
  RulesetAttributes attributes;
  attributes.scoped = k_scope_abstract_sockets;
  const Fd ruleset(static_cast<int>(::syscall(k_create_ruleset, &attributes, sizeof attributes, 0)));
  if (ruleset) ::syscall(k_restrict_self, ruleset.get(), 0);
}

}  // namespace mbuild::executor
