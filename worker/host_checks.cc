#include "worker/host_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/feature.h"
#include "base/host_variable.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "emu/emulator.h"
#include "worker/ids/user_namespace.h"
#include "worker/ids/userns_remedy.h"
#include "worker/inner/inner.h"
#include "worker/jobs/build_network.h"
#include "worker/jobs/operation.h"
#include "worker/sandbox/exec_trace.h"
#include "worker/sandbox/sandbox.h"
#include "worker/snapshot/mount_calls.h"
#include "worker/snapshot/overlay.h"
#include "worker/snapshot/snapshot_mount.h"

namespace mbuild::executor {
namespace {

constexpr const char* k_overlay_remedy = "mbuild --root DIR, with DIR on ext4, xfs, btrfs or tmpfs";

// "" or what was wrong.
template <typename Attempt>
std::string attempt(Attempt&& work) {
  try {
    work();
    return "";
  } catch (const Error& error) {
    return error.message;
  }
}

// A whole sandbox: all that a RUN does comes before its program is looked for, which is not there.
void try_sandbox(const std::string& directory, bool single_id, bool less_isolation) {
  const std::string base = directory + "/sandbox";
  for (const char* name : {"", "/layer", "/upper", "/work", "/scratch"}) make_directories(base + name, 0755);
  SandboxSpec spec;
  spec.stack.layers.push_back({.path = base + "/layer", .implied = {}});
  spec.upper = base + "/upper";
  spec.work = base + "/work";
  spec.scratch = spec.spill = base + "/scratch";
  spec.argv = {"/none"};
  spec.stdout_fd = open_file("/dev/null", O_WRONLY);
  spec.stderr_fd = open_file("/dev/null", O_WRONLY);
  spec.single_id = single_id;
  spec.less_isolation = less_isolation;
  const Fd snapshot = mount_snapshot(spec.stack, spec.scratch);
  try {
    run_sandbox(spec, snapshot.get());
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::step_failed) throw;
  }
}

// Deletes a file of a lower directory through an overlay, as a RUN does.
void try_overlay(const std::string& directory, bool two_lowers) {
  const std::string base = fmt::format("{}/{}", directory, random_hex(4));
  for (const char* name : {"", "/a", "/b", "/upper", "/work"}) make_directories(base + name, 0755);
  open_file(base + "/a/file", O_WRONLY | O_CREAT, 0644);
  std::vector<std::string> lower = {base + "/a"};
  if (two_lowers) lower.push_back(base + "/b");
  const Fd mount = mount_overlay(lower, base + "/upper", base + "/work", false);
  if (::unlinkat(mount.get(), "file", 0) < 0) throw system_error(errno, "remove a file on overlay", ExitClass::host);
  struct stat status;
  if (::stat((base + "/upper/file").c_str(), &status) < 0 || !S_ISCHR(status.st_mode)) {
    throw Error(ExitClass::host, "overlay makes no whiteouts on this file system");
  }
}

void try_lowerdir_plus(const std::string& directory) {
  if (feature_disabled("lowerdir-plus")) throw Error(ExitClass::host, "switched off by MBUILD_TEST_DISABLE");
  for (const char* name : {"/plus-a", "/plus-b"}) make_directories(directory + name, 0755);
  make_filesystem("overlay",
                  {{"userxattr", ""}, {"lowerdir+", directory + "/plus-a"}, {"lowerdir+", directory + "/plus-b"}}, 0);
}

void try_proc() {
  if (feature_disabled("proc-mount")) throw Error(ExitClass::host, "switched off by MBUILD_TEST_DISABLE");
  make_filesystem("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

HostCheck host_check(const char* name, const char* title, bool required, const std::string& problem,
                     const std::string& fine, const std::string& remedy) {
  const bool ok = problem.empty();
  return {name, title, ok, required, ok ? fine : problem, ok ? "" : remedy};
}

HostCheck check_ids(const IdMap& map) {
  const std::string own = host_variable("USER").value_or(std::to_string(::getuid()));
  const bool helpers = !find_program("newuidmap").empty() && !find_program("newgidmap").empty();
  std::uint64_t count = 0;
  for (const auto& range : map.uids) count += range.count;
  const std::string remedy =
      helpers && map.lacks_capabilities
          ? "in a container: add the capabilities SETUID, SETGID and SETFCAP (--cap-add=SETUID --cap-add=SETGID "
            "--cap-add=SETFCAP)"
      : helpers ? fmt::format("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}", own)
                : "sudo apt-get install uidmap";
  const std::string problem =
      helpers && map.lacks_capabilities
          ? "CAP_SETUID and CAP_SETGID are out of reach here: owners are kept in attributes, RUN has one id"
      : helpers ? "no subordinate ids in /etc/subuid and /etc/subgid: owners are kept in attributes, RUN has one id"
                : "newuidmap and newgidmap are missing: owners are kept in attributes, RUN has one id";
  return host_check("userns-ranges", "subordinate ids", false, map.single ? problem : "", fmt::format("{} ids", count),
                    remedy);
}

// "" where an emulator can be registered for the namespaces of mbuild alone, or what is in the way.
std::string registration_problem(Inner& inner) {
  return attempt([&] {
    if (feature_disabled("binfmt-ns")) throw Error(ExitClass::host, "switched off by MBUILD_TEST_DISABLE");
    inner.register_binfmt({});
  });
}

HostCheck check_binfmt(const std::string& problem) {
  return host_check("binfmt-ns", "private binfmt_misc", false, problem, "emulators need no registration with the host",
                    "sudo apt-get install qemu-user-static binfmt-support");
}

HostCheck check_network(Inner& inner) {
  BuildNetwork network([&]() -> Inner& { return inner; }, [](const std::string&) {}, {});
  jobs::NetworkReply about;
  const std::string problem = attempt([&] { about = network.get().about; });
  constexpr const char* k_title = "a network of a build's own";
  switch (about.kind) {
    case jobs::NetworkKind::pasta:
      return {"pasta", k_title, true, false, "by pasta", ""};
    case jobs::NetworkKind::slirp4netns:
      return {"pasta",
              k_title,
              false,
              false,
              "by slirp4netns, IPv4 only: " + about.problem,
              about.advice.empty() ? "sudo apt-get install passt" : about.advice};
    case jobs::NetworkKind::loopback:
      return {"pasta", k_title, true, false, "loopback only, as the host has no way out", ""};
    case jobs::NetworkKind::host:
      break;
  }
  return {"pasta",
          k_title,
          false,
          false,
          "RUN uses the host's: " + (problem.empty() ? about.problem : problem),
          about.advice.empty() ? "sudo apt-get install passt" : about.advice};
}

// What can be tried inside only: "" or what was wrong.
struct InnerChecks {
  std::string overlay, lowerdir_plus, proc, step_namespace, sandbox;
};

struct InnerQuestion {
  bool single_id = false, less_isolation = false;
  std::string place;
};

InnerChecks check_host_job(InnerQuestion asked) {
  const std::string& place = asked.place;
  InnerChecks out{.overlay = attempt([&] { try_overlay(place, false); }),
                  .lowerdir_plus = attempt([&] { try_lowerdir_plus(place); }),
                  .proc = attempt([&] { try_proc(); }),
                  .step_namespace = attempt([] { make_step_namespace(); }),
                  .sandbox = attempt([&] { try_sandbox(place, asked.single_id, asked.less_isolation); })};
  // Here, where it is allowed: overlay leaves a directory that its owner can't read.
  std::error_code ignored;
  std::filesystem::remove_all(place, ignored);
  return out;
}

constexpr jobs::Operation<"check-host", check_host_job> k_check_host;

std::vector<emu::Support> survey_with(bool private_registration) {
  auto search = emu::default_search();
  const bool traced = !private_registration && tracing_problem().empty();
  search.private_registration = private_registration || traced;
  auto out = emu::survey(platforms::host_platform(), search);
  for (auto& support : out) {
    if (!traced || !support.how || support.how->kind != emu::Execution::Kind::qemu) continue;
    support.traced = true;
    support.accelerated = false;
  }
  return out;
}

std::string described(const emu::Support& support) {
  const auto how = emu::describe(*support.how);
  if (!base_name(support.how->emulator_path).starts_with("qemu-")) return how;
  if (support.traced) return how + ", by tracing each exec: all is emulated";
  return fmt::format("{}, {}", how,
                     support.accelerated ? "accelerated: native programs stand in for emulated ones"
                                         : "not accelerated: " + support.obstacle);
}

// How programs of the two platforms that images are mostly made for run here, and which others do. A build whose
// foreign images only copy files needs none of it.
std::vector<HostCheck> check_emulators(bool private_registration) {
  std::vector<HostCheck> out;
  std::string others;
  for (const auto& support : survey_with(private_registration)) {
    const std::string& name = support.descriptor->name;
    if (name == "linux/amd64" || name == "linux/arm64") {
      out.push_back({"", "programs of " + name, support.how.has_value(), false,
                     support.how ? described(support) : support.problem, support.remedy});
    } else if (support.how) {
      others += (others.empty() ? "" : ", ") + name;
    }
  }
  if (!others.empty()) out.push_back({"", "programs of other platforms", true, false, others, ""});
  return out;
}

}  // namespace

std::vector<HostCheck> check_host(const std::string& directory, bool less_isolation) {
  const IdMap map = compute_id_map();
  std::vector<HostCheck> out;
  std::unique_ptr<Inner> inner;
  const std::string problem = attempt([&] { inner = Inner::start({.map = map}); });
  out.push_back(host_check("userns", "user namespaces", true,
                           problem.empty() ? "" : problem + ": only Dockerfiles without RUN can be built", "allowed",
                           userns_remedy()));
  out.push_back(check_ids(map));
  if (!inner) return out;

  const std::string place = fmt::format("{}/check-{}", directory, random_hex(8));
  make_directories(place, 0755);
  const InnerChecks inside =
      k_check_host(*inner, {.single_id = map.single, .less_isolation = less_isolation, .place = place}, {});
  out.push_back(
      host_check("overlay", "overlay on the store's file system", true, inside.overlay, "works", k_overlay_remedy));
  out.push_back(host_check("lowerdir-plus", "overlay layers one by one", false, inside.lowerdir_plus, "works",
                           "none needed: Linux 6.5 and newer have it, older ones take another way"));
  out.push_back(host_check("proc-mount", "a /proc of its own for each step", !less_isolation, inside.proc, "works",
                           fmt::format("{}; or build with --allow-less-isolation", k_proc_remedy)));
  out.push_back(host_check("step-userns", "a user namespace of its own for each step", !less_isolation,
                           inside.step_namespace, "works",
                           fmt::format("{}; or build with --allow-less-isolation", userns_remedy())));
  out.push_back(host_check("", "a whole step", true, inside.sandbox, "starts", "see what is missing above"));
  out.push_back(check_network(*inner));
  const auto registration = registration_problem(*inner);
  out.push_back(check_binfmt(registration));
  for (auto& emulator : check_emulators(registration.empty())) out.push_back(std::move(emulator));
  return out;
}

std::vector<emu::Support> survey_platforms() {
  const auto inner = Inner::start({.map = compute_id_map()});
  return survey_with(registration_problem(*inner).empty());
}

}  // namespace mbuild::executor
