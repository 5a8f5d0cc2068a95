#include <cstdlib>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/worker/inner_jobs.h"

// What an image can do to get at the /proc, /sys and /dev that the host shares with a sandbox. Devices are only asked
// to become what they are, so that the host is left alone where a test fails.
namespace mbuild::executor {
namespace {

using test::BusyboxTree;
using test::error_of;
using test::have_inner;
using test::mounts;
using test::run;
using test::shell;

// An inner process of a host that refuses a fresh /proc.
std::unique_ptr<Inner> inner_with_host_proc() {
  ::setenv("MBUILD_TEST_DISABLE", "proc-mount", 1);
  auto out = Inner::start({.map = compute_id_map()});
  ::unsetenv("MBUILD_TEST_DISABLE");
  return out;
}

SandboxMount tmpfs_at(const std::string& target) {
  SandboxMount mount;
  mount.kind = graph::MountKind::tmpfs;
  mount.target = target;
  return mount;
}

}  // namespace

TEST_CASE("what an image has in the place of /proc, /sys and /dev must be a directory") {
  for (const char* name : {"proc", "sys", "dev"}) {
    for (const bool is_link : {true, false}) {
      BusyboxTree tree;
      NEEDS(tree.ready, "an inner process with a static busybox");
      const std::string path = std::string("base/") + name;
      tree.directory("base/x");
      if (is_link) {
        tree.link(path, "x");
      } else {
        tree.file(path);
      }
      for (const bool insecure : {true, false}) {
        auto spec = shell(tree, "true");
        if (insecure) spec.security = graph::SecurityMode::insecure;
        const auto error = error_of([&] { run(tree, spec, insecure ? "insecure" : "run"); });
        CHECK_THAT(error, Catch::Contains(std::string("/") + name + " of the image is not a directory"));
      }
    }
  }
}

TEST_CASE("devices can be used, not changed") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran =
      run(tree, shell(tree,
                      "for d in null zero full random urandom tty; do [ -e /dev/$d ] || continue\n"
                      "chmod $(stat -c %a /dev/$d) /dev/$d 2>&1; touch -c /dev/$d 2>&1; "
                      "chown $(stat -c %u:%g /dev/$d) /dev/$d 2>&1; done | grep -vc 'Read-only file system'\n"
                      "chmod 666 /proc/self/fd/0 2>/dev/null && echo input\n"
                      "for f in kcore keys timer_list; do [ ! -e /proc/$f ] || chmod 666 /proc/$f; done "
                      "2>&1 | grep -vc 'Read-only file system'\n"
                      "echo x > /dev/null && echo used"));
  CHECK(ran.output == "0\n0\nused\n");
}

TEST_CASE("parts of the host's /proc are protected as those of a fresh one") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto other = inner_with_host_proc();
  auto spec = shell(tree,
                    "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c\n"
                    "for f in sys/kernel/hostname sysrq-trigger; do [ ! -e /proc/$f ] || "
                    "(: >> /proc/$f) 2>&1; done | grep -vcE 'Read-only file system|Permission denied'");
  spec.less_isolation = true;
  const auto ran = run(tree, spec, "run", other.get());
  CHECK(ran.result.host_proc);
  CHECK(ran.output == "0\n0\n");
}

TEST_CASE("a working directory can't be reached through the magic links of /proc") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto other = inner_with_host_proc();
  tree.link("base/there", "/proc/self/fd");
  int number = 0;
  for (Inner* inner : {static_cast<Inner*>(nullptr), other.get()}) {
    std::vector<std::string> paths = {"/proc/self/cwd", "/proc/self/root", "/proc/1/root", "/there/5/.."};
    for (int fd = 3; fd < 24; ++fd) paths.push_back("/proc/self/fd/" + std::to_string(fd));
    for (const auto& path : paths) {
      INFO(path);
      auto spec = shell(tree, "pwd");
      spec.cwd = path;
      spec.less_isolation = inner != nullptr;
      const auto error = error_of([&] { run(tree, spec, "run" + std::to_string(number++), inner); });
      CHECK_THAT(error, Catch::Contains("chdir to cwd") || Catch::Contains("working directory " + path));
    }
  }
}

TEST_CASE("nothing is mounted in /proc, by whatever name, but in the place of harmless files") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.link("base/way", "/proc/sys").link("base/loop", "/proc/self/root").directory("base/tmp");
  int number = 0;
  for (const char* target : {"/proc", "/proc/sys", "/proc/x", "/way/kernel", "/way", "/loop/proc", "/"}) {
    INFO(target);
    auto spec = shell(tree, "true");
    spec.mounts = mounts(tmpfs_at(target));
    const auto error = error_of([&] { run(tree, spec, "run" + std::to_string(number++)); });
    CHECK_THAT(error, Catch::Contains("nothing can be mounted at /"));
  }
  auto spec = shell(tree, "cat /proc/uptime");
  auto file = tmpfs_at("/proc/uptime");
  file.kind = graph::MountKind::bind;
  file.stack.layers.push_back({tree.host_path("src"), {}});
  file.selector = "uptime";
  tree.file("src/uptime", "forever\n");
  spec.mounts = mounts(std::move(file));
  CHECK(run(tree, spec).output == "forever\n");
}

TEST_CASE("the host's control groups are not seen") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran =
      run(tree, shell(tree,
                      "cut -d: -f3 /proc/self/cgroup | sort -u; mkdir /sys/fs/cgroup/x 2>/dev/null && echo made\n"
                      "awk '$5 == \"/sys/fs/cgroup\" { sub(\".* - \", \"\"); kind = $1 } END { print kind }' "
                      "/proc/self/mountinfo"));
  CHECK_THAT(ran.output, Catch::Equals("/\ncgroup2\n") || Catch::Equals("/\ntmpfs\n"));
}

TEST_CASE("a step's own mounts may lie in /dev and /sys") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "touch /dev/shm/f /sys/kernel/f && ls /dev/shm /sys/kernel && (mkdir /sys/x) 2>/dev/null");
  spec.mounts = mounts(tmpfs_at("/dev/shm"), tmpfs_at("/sys/kernel"));
  const auto ran = run(tree, spec);
  CHECK(ran.output == "/dev/shm:\nf\n\n/sys/kernel:\nf\n");
  CHECK(ran.result.exit_code == 1);
}

}  // namespace mbuild::executor
