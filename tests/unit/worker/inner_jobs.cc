#include "tests/unit/worker/inner_jobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "files/root_path.h"
#include "worker/inner/supervisor.h"
#include "worker/jobs/work_directory.h"

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

SandboxResult run_in_job(SandboxSpec spec) {
  for (const auto& path : {spec.upper, spec.work, spec.scratch, spec.spill}) {
    if (!path.empty()) make_directories(path, 0755);
  }
  return run_sandbox(spec, jobs::open_root(mount_snapshot(spec.stack, spec.scratch)).get());
}

constexpr jobs::Operation<"test-run", run_in_job> k_run;

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

Ran run(FileTree& tree, SandboxSpec& spec, const std::string& name, Inner* other, std::stop_token stop) {
  const std::string upper = spec.upper, work = spec.work;
  if (upper.empty()) spec.upper = tree.host_path(name + "-upper");
  if (work.empty()) spec.work = tree.host_path(name + "-work");
  spec.scratch = tree.host_path(name + "-scratch");
  spec.spill = tree.host_path(name + "-spill");
  Pipe pipe = make_pipe();
  spec.stdout_fd = duplicate(pipe.write.get());
  spec.stderr_fd = std::move(pipe.write);
  const auto put_back = [&] {
    spec.stdout_fd.reset();
    spec.stderr_fd.reset();
    spec.upper = upper;
    spec.work = work;
  };
  try {
    const auto result = k_run(other != nullptr ? *other : inner(), spec, std::move(stop));
    put_back();
    return {result, read_all(pipe.read.get())};
  } catch (...) {
    put_back();
    throw;
  }
}

Ran run(FileTree& tree, SandboxSpec&& spec, const std::string& name, Inner* other, std::stop_token stop) {
  return run(tree, spec, name, other, std::move(stop));
}

std::string output_of(const std::string& command) {
  FileTree tree;
  if (!make_busybox(tree, "base")) return "no busybox";
  return run(tree, shell(tree, command)).output;
}

}  // namespace mbuild::executor::test
