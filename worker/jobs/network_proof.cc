#include "worker/jobs/network_proof.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/feature.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "worker/sandbox/network_interfaces.h"

namespace mbuild::executor {
namespace {

std::string circumstances(const std::string& pasta) {
  std::string out = read_file("/proc/sys/kernel/random/boot_id") + fmt::format("{}\n", ::geteuid());
  struct stat status = {};
  for (const char* kind : {"user", "net", "mnt"}) {
    if (::stat(fmt::format("/proc/self/ns/{}", kind).c_str(), &status) < 0) return "";
    out += fmt::format("{} {}\n", kind, status.st_ino);
  }
  if (::stat(pasta.c_str(), &status) < 0) return "";
  return out + fmt::format("{} {} {}\n", pasta, status.st_ino, status.st_mtim.tv_sec);
}

}  // namespace

// Without a way out of the host pasta makes none either, whatever it has done before.
bool NetworkProof::holds(const std::string& pasta) const {
  if (path_.empty() || feature_disabled("early-start") || feature_disabled("pasta") || !path_exists(path_))
    return false;
  try {
    const std::string now = circumstances(pasta);
    return !now.empty() && read_file(path_) == now && has_default_route(read_file("/proc/net/route"), "");
  } catch (const Error&) {
    return false;
  }
}

void NetworkProof::note(const std::string& pasta) const {
  if (path_.empty()) return;
  try {
    const std::string now = circumstances(pasta);
    if (now.empty() || (path_exists(path_) && read_file(path_) == now)) return;
    PartialFile file(path_, 0600);
    write_all(file.fd(), now);
    file.commit();
  } catch (const Error&) {
    // a full disk: the next one waits
  }
}

void NetworkProof::forget() const { ::unlink(path_.c_str()); }

}  // namespace mbuild::executor
