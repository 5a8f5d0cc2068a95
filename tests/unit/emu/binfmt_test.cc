#include "emu/binfmt.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <iostream>

#include "base/error.h"
#include "base/subprocess.h"
#include "emu/emulator.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/emu/elf_samples.h"

using namespace mbuild;
using namespace mbuild::emu;

namespace {

namespace fs = std::filesystem;

const platforms::Descriptor& descriptor_of(std::string_view name) {
  return *platforms::find_descriptor(platforms::parse_platform(name));
}

constexpr int k_not_possible = 77;

// Runs the function in a child with a user namespace of its own, and returns its result; k_not_possible where the host
// does not allow that.
int in_user_namespace(const std::function<int()>& function) {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  const pid_t child = ::fork();
  if (child == 0) {
    int status = k_not_possible;
    try {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) {
        write_all(open_file("/proc/self/setgroups", O_WRONLY).get(), "deny");
        write_all(open_file("/proc/self/uid_map", O_WRONLY).get(), fmt::format("0 {} 1", uid));
        write_all(open_file("/proc/self/gid_map", O_WRONLY).get(), fmt::format("0 {} 1", gid));
        status = function();
      }
    } catch (const Error& error) {
      std::cerr << error.what() << "\n";
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

void check_status(int status) {
  NEEDS(status != k_not_possible, "a private binfmt_misc");
  CHECK(status == 0);
}

// A private instance, or k_not_possible to leave the test with.
std::optional<Fd> try_private_binfmt() {
  try {
    return open_private_binfmt();
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string qemu_for(const platforms::Descriptor& descriptor) {
  for (const std::string& name : descriptor.emulators) {
    const std::string path = find_program(name);
    if (!path.empty()) return path;
  }
  return "";
}

// What the program at `path` prints when it is executed under another name in a root of its own.
std::string output_under_name(const std::string& root, const char* path, char* name) {
  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0) ::_exit(1);
    ::dup2(pipe.write.get(), STDOUT_FILENO);
    char* const arguments[] = {name, nullptr};
    ::execv(path, arguments);
    ::_exit(1);
  }
  pipe.write.reset();
  std::string output = read_all(pipe.read.get());
  ::waitpid(child, nullptr, 0);
  return output;
}

struct TestDirectory {
  std::string path;
  TestDirectory() : path(fs::temp_directory_path() / ("mbuild-test-XXXXXX")) { REQUIRE(::mkdtemp(path.data())); }
  ~TestDirectory() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("a registration line has name, magic, mask, path and flags") {
  CHECK(registration_line(descriptor_of("linux/arm64"), "/usr/bin/qemu-aarch64-static") ==
        ":mbuild-linux-arm64:M::"
        "\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:"
        "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xfe\\xff\\xff\\xff:"
        "/usr/bin/qemu-aarch64-static:POCF");
}

TEST_CASE("a path with a colon takes another separator") {
  const std::string line = registration_line(descriptor_of("linux/arm64"), "/opt/a:b/qemu");
  CHECK(line.starts_with("|mbuild-linux-arm64|M||"));
  CHECK(line.ends_with("|/opt/a:b/qemu|POCF"));
}

TEST_CASE("a path that the kernel would not take is refused") {
  CHECK_THROWS_AS(registration_line(descriptor_of("linux/arm64"), "/opt/a\nb"), Error);
  CHECK_THROWS_AS(registration_line(descriptor_of("linux/arm64"), "/" + std::string(2000, 'a')), Error);
}

TEST_CASE("a handler is read from the kernel's text") {
  const auto handler = parse_handler("qemu-aarch64",
                                     "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: POCF\noffset 0\n"
                                     "magic 7f454c460201010000000000000000000200b700\n"
                                     "mask ffffffffffffff00fffffffffffffffffeffffff\n");
  REQUIRE(handler);
  CHECK(handler->enabled);
  CHECK(handler->interpreter == "/usr/bin/qemu-aarch64-static");
  CHECK(handler->works_in_any_root());
  CHECK(handler->keeps_argv0());
  CHECK(matches(*handler, descriptor_of("linux/arm64")));
  CHECK_FALSE(matches(*handler, descriptor_of("linux/amd64")));
  CHECK_FALSE(matches(*handler, descriptor_of("linux/s390x")));
}

TEST_CASE("a handler that goes by extension or for fixed-address programs only does not match") {
  const auto jar = parse_handler("jar", "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n");
  REQUIRE(jar);
  CHECK_FALSE(matches(*jar, descriptor_of("linux/arm64")));
  const auto fixed = parse_handler("fixed",
                                   "enabled\ninterpreter /q\nflags: F\noffset 0\n"
                                   "magic 7f454c460201010000000000000000000200b700\n");
  REQUIRE(fixed);
  CHECK_FALSE(matches(*fixed, descriptor_of("linux/arm64")));
}

TEST_CASE("damaged handler texts are not taken for handlers") {
  CHECK_FALSE(parse_handler("status", "enabled\n"));
  CHECK_FALSE(parse_handler("x", ""));
  CHECK_FALSE(parse_handler("x", "enabled\ninterpreter /q\nmagic 7f4\n"));
  CHECK_FALSE(parse_handler("x", "enabled\ninterpreter /q\nmagic 7fzz\n"));
  CHECK_FALSE(parse_handler("x", "enabled\ninterpreter /q\nmagic 7f45\nmask ff\n"));
}

TEST_CASE("handlers are listed only where binfmt_misc is mounted and switched on") {
  const TestDirectory directory;
  CHECK_FALSE(read_handlers(directory.path));
  write_file_atomically(directory.path + "/status", "disabled\n");
  CHECK_FALSE(read_handlers(directory.path));
  write_file_atomically(directory.path + "/status", "enabled\n");
  write_file_atomically(directory.path + "/rosetta",
                        "enabled\ninterpreter /mnt/rosetta\nflags: CF\noffset 0\nmagic 7f\n");
  const auto handlers = read_handlers(directory.path);
  REQUIRE(handlers);
  REQUIRE(handlers->size() == 1);
  CHECK(handlers->front().name == "rosetta");
}

TEST_CASE("the kernel takes the registration of every platform and shows it again") {
  const int status = in_user_namespace([] {
    const auto binfmt = try_private_binfmt();
    if (!binfmt) return k_not_possible;
    const std::string directory = fmt::format("/proc/self/fd/{}", binfmt->get());
    for (const auto& descriptor : platforms::all_descriptors()) {
      register_emulator(binfmt->get(), descriptor, "/proc/self/exe");
      const std::string name = registration_name(descriptor);
      const auto handler = parse_handler(name, read_file(directory + "/" + name));
      if (!handler || !handler->enabled || handler->interpreter != "/proc/self/exe") return 1;
      if (handler->magic.size() != descriptor.binfmt_magic.size() || handler->mask != descriptor.binfmt_mask) return 2;
      if (!matches(*handler, descriptor) || !handler->keeps_argv0() || !handler->works_in_any_root()) return 3;
    }
    const auto handlers = read_handlers(directory);
    return handlers && handlers->size() == platforms::all_descriptors().size() ? 0 : 4;
  });
  check_status(status);
}

TEST_CASE("the trial program of every platform runs under its emulator") {
  for (const auto& descriptor : platforms::all_descriptors()) {
    const std::string qemu = qemu_for(descriptor);
    // A handler of the host's own platform would be asked for its own interpreter, without end.
    if (qemu.empty() || descriptor.platform == platforms::host_platform()) continue;
    INFO(descriptor.name);
    const int status = in_user_namespace([&] {
      const auto binfmt = try_private_binfmt();
      if (!binfmt) return k_not_possible;
      register_emulator(binfmt->get(), descriptor, qemu);
      return can_execute(descriptor) ? 0 : 1;
    });
    check_status(status);
  }
}

TEST_CASE("a program in another root runs with its own argv[0], and no longer once the instance is gone") {
  const auto& arm64 = descriptor_of("linux/arm64");
  const std::string qemu = qemu_for(arm64);
  NEEDS(!qemu.empty() && platforms::host_platform() != arm64.platform,
        "a host that is not arm64, with qemu-aarch64-static");
  const TestDirectory root;
  const std::string program = root.path + "/print";
  write_file_atomically(program, samples::print_argv0_arm64(), 0755);
  fs::permissions(program, fs::perms(0755));
  const int status = in_user_namespace([&] {
    auto binfmt = try_private_binfmt();
    if (!binfmt) return k_not_possible;
    register_emulator(binfmt->get(), arm64, qemu);
    char name[] = "-another-name";
    if (output_under_name(root.path, "/print", name) != name) return 1;
    binfmt->reset();
    return output_under_name(root.path, "/print", name).empty() ? 0 : 2;
  });
  check_status(status);
}
