#include "worker/sandbox/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"
#include "tests/unit/worker/inner_jobs.h"

namespace mbuild::executor {
namespace {

using test::BusyboxTree;
using test::have_inner;
using test::mounts;
using test::output_of;
using test::Ran;
using test::run;
using test::shell;
using test::single_id;

SandboxMount mount_at(graph::MountKind kind, const std::string& target) {
  SandboxMount mount;
  mount.kind = kind;
  mount.target = target;
  return mount;
}

std::string error_of_run(BusyboxTree& tree, SandboxSpec& spec) {
  try {
    run(tree, spec);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// An inner process on a host that lacks this.
std::unique_ptr<Inner> inner_without(const std::string& feature) {
  const mbuild::testing::ScopedVariable lacking("MBUILD_TEST_DISABLE", feature);
  return Inner::start({.map = test::map_of_inner()});
}

// A step of a host that lacks this: it is refused, with a way out, unless less isolation is allowed. What it is then.
Ran run_with_less_isolation(BusyboxTree& tree, SandboxSpec spec, const std::string& lacking) {
  const auto other = inner_without(lacking);
  try {
    run(tree, spec, "refused", other.get());
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::host);
    CHECK_THAT(error.advice, Catch::Contains("--allow-less-isolation"));
  }
  spec.less_isolation = true;
  return run(tree, spec, "run", other.get());
}

}  // namespace

TEST_CASE("the exit status and the output of a program are reported") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran = run(tree, shell(tree, "echo out; echo err >&2; exit 42"));
  CHECK(ran.result.exit_code == 42);
  CHECK(ran.result.signal == 0);
  CHECK(ran.output == "out\nerr\n");
  CHECK(ran.result.peak_memory > 0);
}

TEST_CASE("what a program changes is in the upper directory") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran = run(tree, shell(tree, "echo new > /f; mkdir /d; rm /etc/group"));
  CHECK(ran.result.exit_code == 0);
  CHECK(tree.content("run-upper/f") == "new\n");
  CHECK_FALSE(ran.result.root_changed);
  struct stat status;
  REQUIRE(::lstat(tree.host_path("run-upper/etc/group").c_str(), &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
}

TEST_CASE("the sandbox leaves no traces in the layer but missing /dev, /proc and /sys") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "test -s /etc/hosts && test -f /etc/resolv.conf; ls /mnt/deep/er /new");
  spec.mounts = mounts(mount_at(graph::MountKind::tmpfs, "/mnt/deep/er"), mount_at(graph::MountKind::tmpfs, "/new"));
  const auto ran = run(tree, spec);
  CHECK(ran.result.exit_code == 0);
  CHECK(tree.exists("run-upper/dev"));
  CHECK(tree.exists("run-upper/proc"));
  CHECK(tree.exists("run-upper/sys"));
  CHECK_FALSE(tree.exists("run-upper/etc"));
  CHECK_FALSE(tree.exists("run-upper/mnt"));
  CHECK_FALSE(tree.exists("run-upper/new"));
  // when the base has them nothing at all remains
  tree.directory("base/dev").directory("base/proc").directory("base/sys");
  run(tree, shell(tree, "true"), "second");
  CHECK_FALSE(tree.exists("second-upper/dev"));
}

TEST_CASE("a change of the root directory itself is noticed") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  CHECK(run(tree, shell(tree, "chmod 700 /")).result.root_changed);
}

TEST_CASE("the program is pid 1, with its own host name, session and umask") {
  NEEDS(have_inner(), "an inner process");
  CHECK(output_of("echo $$; hostname; umask; cat < /dev/stdin | wc -c; grep -c buildkitsandbox /etc/hosts; pwd") ==
        "1\nbuildkitsandbox\n0022\n0\n1\n/\n");
}

TEST_CASE("capabilities are Docker's default set, and none for another user") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const char* show = "grep -E 'Cap|NoNewPrivs' /proc/self/status | tr '\\t' ' '";
  CHECK(run(tree, shell(tree, show)).output ==
        "CapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\nCapBnd: 00000000a80425fb\n"
        "CapAmb: 0000000000000000\nNoNewPrivs: 0\n");
  NEEDS(!single_id(), "more than one id");
  auto spec = shell(tree, show);
  spec.user = "app";
  CHECK_THAT(run(tree, spec, "second").output, Catch::Contains("CapEff: 0000000000000000\nCapBnd: 00000000a80425fb"));
}

TEST_CASE("a user is resolved in the image and has its groups and home") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(!single_id(), "more than one id");
  const auto as = [&](const char* user) {
    auto spec = shell(tree, "echo \"$(id -u):$(id -g) $(id -G) $HOME\"");
    spec.user = user;
    return run(tree, spec, std::string("as-") + user).output;
  };
  CHECK(as("") == "0:0 0 10 /root\n");
  CHECK(as("app") == "1000:1000 1000 10 2000 /home/app\n");
  CHECK(as("1234") == "1234:0 0 /\n");
  CHECK(as("1001:nogroup") == "1001:65534 65534 /home/dev\n");
  auto spec = shell(tree, "true");
  spec.user = "ghost";
  CHECK_THAT(error_of_run(tree, spec), Catch::Contains("unable to find user ghost"));
}

TEST_CASE("with one id another user is an error that names the remedy") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto single = [] {
    const mbuild::testing::ScopedVariable lacking("MBUILD_TEST_DISABLE", "userns-ranges");
    return Inner::start({.map = compute_id_map()});
  }();
  auto spec = shell(tree, "id -u; touch /f");
  spec.single_id = true;
  CHECK(run(tree, spec, "one", single.get()).output == "0\n");
  spec.user = "app";
  try {
    run(tree, spec, "two", single.get());
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::host);
    CHECK_THAT(error.advice, Catch::Contains("usermod --add-subuids"));
  }
}

TEST_CASE("the working directory is made when it is missing, owned by the user") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(!single_id(), "more than one id");
  auto spec = shell(tree, "pwd; stat -c '%u:%g %a' /w /w/x");
  spec.cwd = "/w/x";
  spec.user = "app";
  CHECK(run(tree, spec).output == "/w/x\n1000:1000 755\n1000:1000 755\n");
}

TEST_CASE("programs that can't be started are errors in runc's words") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.file("base/plain", "x", 0644).file("base/bad", "#!/no/such\n", 0755).file("base/junk", "\1\2", 0755);
  const auto error = [&](const char* program) {
    auto spec = shell(tree, "");
    spec.argv = {program, "x"};
    spec.upper = tree.host_path(std::string("up") + std::to_string(std::rand()));
    spec.work = spec.upper + "-work";
    return error_of_run(tree, spec);
  };
  CHECK(error("nope") == "exec: \"nope\": executable file not found in $PATH");
  CHECK(error("/nope") == "exec: \"/nope\": stat /nope: no such file or directory");
  CHECK(error("/plain") == "exec: \"/plain\": permission denied");
  CHECK(error("/etc") == "exec: \"/etc\": is a directory");
  CHECK(error("/bad") == "exec /bad: no such file or directory");
  CHECK(error("/junk") == "exec /junk: exec format error");
}

TEST_CASE("devices, terminals and shared memory are there") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec =
      shell(tree,
            "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 1 /dev/urandom | wc -c && "
            "ls -d /dev/pts/ptmx /dev/mqueue && readlink /dev/fd && readlink /dev/ptmx && df -k /dev/shm | tail -1 | "
            "awk '{print $2}' && stat -c %a /dev/shm && echo y > /dev/stderr");
  spec.shm_size = 4 << 20;
  CHECK(run(tree, spec).output == "3\n1\n/dev/mqueue\n/dev/pts/ptmx\n/proc/self/fd\npts/ptmx\n4096\n1777\ny\n");
}

TEST_CASE("the kernel's settings are read-only and its secrets masked") {
  NEEDS(have_inner(), "an inner process");
  CHECK(output_of("(echo x > /proc/sys/kernel/hostname) 2>/dev/null && echo written; cat /proc/keys /proc/timer_list "
                  "2>/dev/null | wc -c; ls -A /sys/firmware | wc -l; mkdir /sys/x 2>&1; ls /proc | grep -c '^[0-9]'")
            .starts_with("0\n0\nmkdir: can't create directory '/sys/x': Read-only file system\n"));
}

TEST_CASE("forbidden system calls are refused") {
  NEEDS(have_inner(), "an inner process");
  CHECK_THAT(output_of("mount -t tmpfs none /tmp 2>&1; unshare -m true 2>&1; hostname x 2>&1; dmesg 2>&1 | tail -1"),
             Catch::Matches("(.*(Operation not permitted|permission denied).*\n){4}", Catch::CaseSensitive::No));
}

TEST_CASE("chroot, chown and setuid bits still work") {
  NEEDS(have_inner(), "an inner process");
  NEEDS(!single_id(), "more than one id");
  CHECK(output_of("chroot / /bin/echo in; touch /f && chown 5:6 /f && chmod 6755 /f && stat -c '%u:%g %a' /f") ==
        "in\n5:6 6755\n");
}

TEST_CASE("a device node becomes its stand-in, with mode and owner") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran = run(tree, shell(tree,
                                   "mknod -m 600 /c c 1 5 && cd /etc && mknod b b 7 300 && mkfifo /p; ls /c; "
                                   "mknod /c c 1 5 2>&1; mknod /none/x c 1 5 2>&1; mknod /w c 0 0 2>&1"));
  CHECK(ran.output ==
        "/c\nmknod: /c: File exists\nmknod: /none/x: No such file or directory\nmknod: /w: Operation not permitted\n");
  const auto c = tree.inode("run-upper/c"), b = tree.inode("run-upper/etc/b");
  CHECK(c.type == image::FileType::character);
  CHECK(c.mode == 0600);
  CHECK(std::pair(c.rdev_major, c.rdev_minor) == std::pair(1u, 5u));
  CHECK(b.type == image::FileType::block);
  CHECK(std::pair(b.rdev_major, b.rdev_minor) == std::pair(7u, 300u));
}

TEST_CASE("a user without the capability can't make device nodes") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(!single_id(), "more than one id");
  auto spec = shell(tree, "mknod /tmp/c c 1 5 2>&1");
  spec.user = "app";
  CHECK_THAT(run(tree, spec).output, Catch::Contains("Operation not permitted"));
}

TEST_CASE("insecure gives all capabilities and no filter") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "mount -t tmpfs none /tmp && echo mounted; grep CapBnd /proc/self/status | cut -c 8-");
  spec.security = graph::SecurityMode::insecure;
  CHECK_THAT(run(tree, spec).output, Catch::StartsWith("mounted\n") && !Catch::Contains("a80425fb"));
}

TEST_CASE("network none has loopback only") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec =
      shell(tree, "ip -o link | cut -d: -f2 | tr -d ' '; ip -o addr show lo | grep -c 127.0.0.1; ls /sys/class/net");
  spec.network.mode = graph::NetworkMode::none;
  CHECK(run(tree, spec).output == "lo\n1\nlo\n");
}

TEST_CASE("extra hosts and the host name are in /etc/hosts") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "hostname; grep -c ' me$' /etc/hosts; grep my.example /etc/hosts; echo x >> /etc/hosts");
  spec.hostname = "me";
  spec.extra_hosts = {{"my.example", "10.9.8.7"}};
  CHECK_THAT(run(tree, spec).output,
             Catch::StartsWith("me\n1\n10.9.8.7\tmy.example\n") && Catch::Contains("Read-only"));
}

TEST_CASE("limits are set, and hard ones never raised") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "ulimit -Sn; ulimit -Hn; ulimit -c");
  spec.ulimits = {{"nofile", 100, 200}, {"core", 0, -1}};
  CHECK(run(tree, spec).output == "100\n200\n0\n");
}

TEST_CASE("resolv.conf of an image may be a dangling link") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.link("base/etc/resolv.conf", "../run/x/resolv.conf").link("base/etc/hosts", "/etc/../../../outside");
  const auto ran =
      run(tree, shell(tree, "test -f /etc/resolv.conf && readlink /etc/resolv.conf; test -s /outside && echo in"));
  CHECK(ran.output == "../run/x/resolv.conf\nin\n");
  CHECK_FALSE(tree.exists("run-upper/run"));
  CHECK_FALSE(tree.exists("run-upper/outside"));
}

TEST_CASE("a bind mount is read-only, or writable with its writes dropped") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.file("src/f", "text\n").file("src/d/g", "deep\n");
  auto spec =
      shell(tree, "cat /m/f; touch /m/new 2>/dev/null || echo readonly; cat /g; echo changed > /rw/f && cat /rw/f");
  const auto source_at = [&](const std::string& target) {
    auto mount = mount_at(graph::MountKind::bind, target);
    mount.stack.layers.push_back({tree.host_path("src"), {}});
    return mount;
  };
  auto whole = source_at("/m"), file = source_at("/g"), writable = source_at("/rw");
  file.selector = "/d/g";
  whole.read_only = file.read_only = true;
  spec.mounts = mounts(std::move(whole), std::move(writable), std::move(file));
  CHECK(run(tree, spec).output == "text\nreadonly\ndeep\nchanged\n");
  CHECK(tree.content("src/f") == "text\n");
  auto missing = source_at("/g");
  missing.selector = "/nope";
  missing.read_only = true;
  spec.mounts = mounts(std::move(missing));
  spec.upper = tree.host_path("other-upper");
  spec.work = tree.host_path("other-work");
  CHECK_THAT(error_of_run(tree, spec), Catch::Contains("\"/nope\": not found"));
}

TEST_CASE("writes to a bind mount with an upper directory are kept") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.file("src/f", "text\n").directory("kept").directory("kept-work");
  auto spec = shell(tree, "echo changed > /m/f");
  auto mount = mount_at(graph::MountKind::bind, "/m");
  mount.stack.layers.push_back({tree.host_path("src"), {}});
  mount.upper = tree.host_path("kept");
  mount.work = tree.host_path("kept-work");
  spec.mounts = mounts(std::move(mount));
  CHECK(run(tree, spec).result.exit_code == 0);
  CHECK(tree.content("kept/f") == "changed\n");
}

TEST_CASE("cache directories keep what is written, also in two places at once") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.directory("cache");
  auto spec = shell(tree, "echo 1 > /a/f; cat /b/f; touch /ro/x 2>/dev/null || echo readonly; mkdir -p /a/sub/t");
  auto one = mount_at(graph::MountKind::cache, "/a"), two = mount_at(graph::MountKind::cache, "/b"),
       three = mount_at(graph::MountKind::cache, "/ro");
  one.source = two.source = three.source = tree.host_path("cache");
  three.read_only = true;
  spec.mounts = mounts(std::move(one), std::move(two), std::move(three));
  CHECK(run(tree, spec).output == "1\nreadonly\n");
  CHECK(tree.content("cache/f") == "1\n");
  CHECK_FALSE(tree.exists("run-upper/a"));
}

TEST_CASE("a cache selector can't lead out of the cache") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.directory("cache").link("cache/out", "../../..");
  auto spec = shell(tree, "ls -A /a");
  auto mount = mount_at(graph::MountKind::cache, "/a");
  mount.source = tree.host_path("cache");
  mount.selector = "out";
  spec.mounts = mounts(std::move(mount));
  CHECK(run(tree, spec).output == "out\n");
}

TEST_CASE("a tmpfs has its size, and can cover /etc") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.directory("base/private", 0700);
  auto spec = shell(tree, "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t /private; ls -A /etc");
  auto small = mount_at(graph::MountKind::tmpfs, "/t");
  small.size = 8 << 20;
  spec.mounts = mounts(std::move(small), mount_at(graph::MountKind::tmpfs, "/etc"),
                       mount_at(graph::MountKind::tmpfs, "/private"));
  CHECK(run(tree, spec).output == "8192\n1777\n700\n");
}

TEST_CASE("mounts nest in the order of their targets") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.file("src/f", "text\n");
  auto inner_mount = mount_at(graph::MountKind::bind, "/t/a/b");
  inner_mount.stack.layers.push_back({tree.host_path("src"), {}});
  auto spec = shell(tree, "cat /t/a/b/f; touch /t/x && ls /t");
  spec.mounts = mounts(std::move(inner_mount), mount_at(graph::MountKind::tmpfs, "/t"));
  CHECK(run(tree, spec).output == "text\na\nx\n");
}

TEST_CASE("a secret is a file in memory with mode and owner") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "stat -c '%a %u:%g %s' /run/secrets/s && cat /run/secrets/s && stat -f -c %T /run/secrets/s");
  auto secret = mount_at(graph::MountKind::secret, "/run/secrets/s");
  secret.content_fd = memory_file("top secret");
  secret.mode = 0440;
  if (!single_id()) secret.uid = 5, secret.gid = 6;
  spec.mounts = mounts(std::move(secret));
  CHECK(run(tree, spec).output == std::string("440 ") + (single_id() ? "0:0" : "5:6") + " 10\ntop secrettmpfs\n");
  CHECK_FALSE(tree.exists("run-upper/run"));
}

TEST_CASE("an ssh mount is a socket of the step's own, with its owner and mode") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = tree.host_path("agent");
  std::copy(path.begin(), path.end(), address.sun_path);
  const Fd agent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(agent.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  auto spec = shell(tree, "stat -c '%a %u:%g %F' /run/ssh");
  auto mount = mount_at(graph::MountKind::ssh, "/run/ssh");
  mount.source = path;
  mount.mode = 0660;
  if (!single_id()) mount.uid = 5, mount.gid = 6;
  spec.mounts = mounts(std::move(mount));
  CHECK(run(tree, spec).output == std::string("660 ") + (single_id() ? "0:0" : "5:6") + " socket\n");
  CHECK_FALSE(tree.exists("run-upper/run"));
}

TEST_CASE("without a user namespace root makes real device nodes") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(::geteuid() == 0, "root");
  auto real = Inner::start({.map = test::map_of_inner(), .user_namespace = false});
  auto spec = shell(tree, "mknod /c c 1 5 && stat -c %F /c; mount -t tmpfs none /tmp && echo mounted");
  spec.security = graph::SecurityMode::insecure;
  CHECK(run(tree, spec, "run", real.get()).output == "character special file\nmounted\n");
}

TEST_CASE("a mount over a link goes where it leads in the image") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  tree.link("base/var-run", "/run").directory("base/run");
  auto spec = shell(tree, "touch /var-run/x/f && ls /run/x");
  spec.mounts = mounts(mount_at(graph::MountKind::tmpfs, "/var-run/x"));
  CHECK(run(tree, spec).output == "f\n");
  CHECK_FALSE(tree.exists("run-upper/run"));
}

TEST_CASE("later values of a variable win, and HOME is kept when given") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "echo $A $HOME");
  spec.env = {"PATH=/bin", "A=1", "HOME=/h", "A=2"};
  CHECK(run(tree, spec).output == "2 /h\n");
}

TEST_CASE("a killed child has its signal in the status") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "sh -c 'kill -9 $$' 2>/dev/null; echo $?");
  CHECK_THAT(run(tree, spec).output, Catch::EndsWith("137\n"));
}

TEST_CASE("processes left behind end with the program") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto begin = std::chrono::steady_clock::now();
  const auto ran = run(tree, shell(tree, "setsid sleep 100 & sleep 100 & echo done"));
  CHECK(ran.output == "done\n");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

TEST_CASE("cancelling ends a sandbox with all its processes at once") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  std::stop_source stop;
  std::chrono::steady_clock::time_point asked;
  {
    std::jthread canceller([&] {
      for (int i = 0; i < 500 && !tree.exists("run-upper/up"); ++i) ::usleep(10000);
      asked = std::chrono::steady_clock::now();
      stop.request_stop();
    });
    auto spec =
        shell(tree, "for i in 1 2 3 4 5; do setsid sh -c 'trap \"\" TERM INT; sleep 100' & done; touch /up; sleep 100");
    CHECK_THROWS_AS(run(tree, spec, "run", nullptr, stop.get_token()), Cancelled);
  }
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(60));
}

TEST_CASE("a step on an empty snapshot finds no program") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "true");
  spec.stack.layers.clear();
  CHECK_THAT(error_of_run(tree, spec), Catch::Contains("no such file or directory"));
}

TEST_CASE("where a fresh /proc is refused the step is, unless less isolation is allowed") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran = run_with_less_isolation(tree, shell(tree, "cat /proc/self/comm"), "proc-mount");
  CHECK(ran.output == "cat\n");
  CHECK(ran.result.host_proc);
}

TEST_CASE("a program has a user namespace of its own with the ids of images") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "readlink /proc/self/ns/user");
  const std::string first = run(tree, spec, "first").output;
  CHECK(first.starts_with("user:["));
  spec.security = graph::SecurityMode::insecure;
  CHECK(run(tree, spec, "insecure").output != first);
}

TEST_CASE("where a user namespace is refused the step is, unless less isolation is allowed") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  const auto ran = run_with_less_isolation(tree, shell(tree, "echo ran"), "step-userns");
  CHECK(ran.output == "ran\n");
  CHECK(ran.result.shared_ids);
}

TEST_CASE("the log's pipes can be opened by name by the user of the step") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(!single_id(), "more than one id");
  auto spec = shell(tree, "echo out > /dev/stdout; echo err > /dev/stderr");
  spec.user = "app";
  CHECK(run(tree, spec).output == "out\nerr\n");
}

TEST_CASE("in the map of real root a program has no id of the host") {
  BusyboxTree tree;
  const IdMap map = compute_id_map();
  NEEDS(tree.ready, "an inner process with a static busybox");
  NEEDS(map.host_high, "root with all ids");
  auto other = Inner::start({.map = map});
  // The tree is the host root's, which is nobody there.
  auto spec = shell(tree, "stat -c '%u %g' /bin; touch /f || echo refused; id -u; cat /proc/self/uid_map");
  const auto ran = run(tree, spec, "run", other.get());
  CHECK_THAT(ran.output, Catch::StartsWith("65534 65534\n"));
  CHECK_THAT(ran.output, Catch::Contains("refused\n0\n"));
  struct stat status;
  REQUIRE(::stat(tree.host_path("run-upper").c_str(), &status) == 0);
}

// Hidden: `unit_executor '[.speed]'` prints what a sandbox costs.
TEST_CASE("time of a sandbox around true", "[.speed]") {
  BusyboxTree tree;
  NEEDS(tree.ready, "an inner process with a static busybox");
  auto spec = shell(tree, "");
  spec.argv = {"/bin/true"};
  double least = 1e9, sum = 0;
  for (int i = 0; i < 50; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run(tree, spec, "r" + std::to_string(i));
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    least = std::min(least, took);
    sum += took;
  }
  const auto begin = std::chrono::steady_clock::now();
  Inner::start({.map = test::map_of_inner()});
  const std::chrono::duration<double, std::milli> start = std::chrono::steady_clock::now() - begin;
  WARN("least " << least << " ms, mean " << sum / 50 << " ms; inner start and end " << start.count() << " ms");
}

}  // namespace mbuild::executor
