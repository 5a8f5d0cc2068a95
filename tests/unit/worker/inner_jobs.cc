#include "tests/unit/worker/inner_jobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "files/root_path.h"
#include "worker/inner/supervisor.h"
#include "worker/jobs/job_registry.h"
#include "worker/jobs/jobs_codec.h"

extern "C" void mbuild_test_alternative_main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != mbuild::executor::k_inner_argument) return;
  std::_Exit(mbuild::executor::inner_main(std::atoi(argv[2])));
}

namespace mbuild::executor::test {
namespace {

// As root all ids as they are, so that a test may make a root file system with the owners that an image has.
const IdMap& own_map() {
  static const IdMap map = [] {
    ::setenv("MBUILD_TEST_DISABLE", "root-map", 1);
    const IdMap computed = compute_id_map();
    ::unsetenv("MBUILD_TEST_DISABLE");
    return computed;
  }();
  return map;
}

std::unique_ptr<Inner> start_or_nothing() {
  try {
    return Inner::start({.map = own_map()});
  } catch (const Error&) {
    return nullptr;
  }
}

std::unique_ptr<Inner>& the_inner() {
  static std::unique_ptr<Inner> inner = start_or_nothing();
  return inner;
}

std::string describe(int directory, const std::string& name) {
  const Fd fd = open_resolved(directory, name, O_PATH | O_NOFOLLOW);
  struct stat status;
  ::fstat(fd.get(), &status);
  const std::string tail = fmt::format("{:o} {}:{}", status.st_mode & 07777, status.st_uid, status.st_gid);
  if (S_ISDIR(status.st_mode)) return "dir " + tail;
  if (S_ISLNK(status.st_mode)) return "link " + read_link(directory, name);
  if (S_ISCHR(status.st_mode)) return "char " + tail;
  return fmt::format("file {} {}", tail, read_all(open_resolved(directory, name, O_RDONLY).get()));
}

void list_into(int root, const std::string& path, std::string& out) {
  const Fd directory = open_resolved(root, path, O_RDONLY | O_DIRECTORY);
  for (const auto& name : sorted_names(directory.get())) {
    const std::string full = join_resolved(path, name);
    const std::string what = describe(directory.get(), name);
    out += full + " " + what + "\n";
    if (what.starts_with("dir")) list_into(root, full, out);
  }
}

std::string run_in_job(std::string_view payload, std::vector<Fd>& fds) {
  auto spec = decode<SandboxSpec>(payload);
  spec.stdout_fd = spec.stderr_fd = fds.at(0).get();
  for (auto& mount : spec.mounts) {
    if (mount.content_fd >= 0) mount.content_fd = fds.at(static_cast<std::size_t>(mount.content_fd)).get();
  }
  for (const auto& path : {spec.upper, spec.work, spec.scratch, spec.spill}) {
    if (!path.empty()) make_directories(path, 0755);
  }
  return encode(run_sandbox(spec, jobs::open_root(mount_snapshot(spec.stack, spec.scratch)).get()));
}

const TestJob k_run("test-run", run_in_job);
const TestJob k_network("network", jobs::network_job);

constexpr const char* k_passwd =
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\ndev:x:1001:2001:dev:/home/dev:/bin/sh\n";
constexpr const char* k_group =
    "root:x:0:\nwheel:x:10:root,app\napp:x:1000:\nextra:x:2000:app,dev\ndevs:x:2001:\nnogroup:x:65534:\n";

}  // namespace

TestJob::TestJob(std::string name, std::function<std::string(std::string_view, std::vector<Fd>&)> job) {
  register_job(std::move(name), std::move(job));
}

bool have_inner() { return the_inner() != nullptr; }
Inner& inner() { return *the_inner(); }
const IdMap& map_of_inner() { return own_map(); }
bool single_id() { return own_map().single; }

std::string list_tree(int root) {
  std::string out;
  list_into(root, "", out);
  return out;
}

bool make_busybox(FileTree& tree, const std::string& name) {
  const std::string program = find_program("busybox");
  if (program.empty()) return false;
  tree.directory(name + "/bin").directory(name + "/tmp", 01777).directory(name + "/etc");
  std::filesystem::copy_file(program, tree.host_path(name + "/bin/busybox"));
  for (const auto& applet : split(run_program({program, "--list"}).output, '\n')) {
    if (!applet.empty() && applet != "busybox") tree.link(name + "/bin/" + applet, "busybox");
  }
  tree.file(name + "/etc/passwd", k_passwd).file(name + "/etc/group", k_group);
  return true;
}

SandboxSpec shell(const FileTree& tree, const std::string& command) {
  SandboxSpec spec;
  spec.stack.layers.push_back({tree.host_path("base"), {}});
  spec.argv = {"/bin/sh", "-c", command};
  spec.env = {"PATH=/bin"};
  spec.single_id = single_id();
  return spec;
}

Ran run(FileTree& tree, SandboxSpec spec, const std::string& name, Inner* other, std::stop_token stop) {
  if (spec.upper.empty()) spec.upper = tree.host_path(name + "-upper");
  if (spec.work.empty()) spec.work = tree.host_path(name + "-work");
  spec.scratch = tree.host_path(name + "-scratch");
  spec.spill = tree.host_path(name + "-spill");
  Pipe pipe = make_pipe();
  std::vector<int> fds = {pipe.write.get()};
  for (auto& mount : spec.mounts) {
    if (mount.content_fd < 0) continue;
    fds.push_back(mount.content_fd);
    mount.content_fd = static_cast<int>(fds.size()) - 1;
  }
  const std::string reply = (other != nullptr ? *other : inner()).call("test-run", encode(spec), fds, std::move(stop));
  pipe.write.reset();
  return {decode<SandboxResult>(reply), read_all(pipe.read.get())};
}

std::string output_of(const std::string& command) {
  FileTree tree;
  if (!make_busybox(tree, "base")) return "no busybox";
  return run(tree, shell(tree, command)).output;
}

}  // namespace mbuild::executor::test
