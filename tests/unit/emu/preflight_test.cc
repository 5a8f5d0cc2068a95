#include "emu/preflight.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/fd.h"
#include "base/strings.h"
#include "emu/elf.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"
#include "tests/unit/emu/elf_samples.h"

using namespace mbuild;
using namespace mbuild::emu;
using namespace mbuild::emu::samples;
using mbuild::testing::mentions;

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_loader = "/lib/ld-linux-aarch64.so.1";

// The root of an arm64 image.
class Root {
 public:
  Root() : path_(fs::temp_directory_path() / "mbuild-test-XXXXXX") {
    REQUIRE(::mkdtemp(path_.data()));
    directory_ = open_file(path_, O_RDONLY | O_DIRECTORY);
    add(std::string(k_loader), static_program("linux/arm64"));
    add("/bin/sh", dynamic_program("linux/arm64", std::string(k_loader)));
  }
  ~Root() { fs::remove_all(path_); }

  void add(const std::string& path, const std::string& content, unsigned mode = 0755) {
    make_directories(dir_name(path_ + path));
    write_file_atomically(path_ + path, content);
    fs::permissions(path_ + path, fs::perms(mode));
  }
  void link(const std::string& target, const std::string& path) { fs::create_symlink(target, path_ + path); }
  void remove(const std::string& path) { fs::remove(path_ + path); }

  std::optional<Problem> check(const std::string& argv0, std::string_view path = "/usr/bin:/bin",
                               const std::string& cwd = "/") const {
    return check_executable(directory_.get(), argv0, path, cwd, platforms::parse_platform("linux/arm64"));
  }
  int directory() const { return directory_.get(); }

 private:
  std::string path_;
  Fd directory_;
};

struct Reads {
  std::uint64_t bytes = 0, calls = 0;
};
constexpr std::uint64_t k_reads_of_the_counters = 4;  // what it may take to read them is in what they say

std::optional<Reads> reads_of_this_thread() {
  std::ifstream counters("/proc/thread-self/io");
  Reads reads;
  std::string name;
  if (!(counters >> name >> reads.bytes && name == "rchar:")) return std::nullopt;
  while (counters >> name && name != "syscr:") {
  }
  if (!(counters >> reads.calls)) return std::nullopt;
  return reads;
}

}  // namespace

TEST_CASE("a program of the step's platform with its loader is in order") {
  Root root;
  CHECK_FALSE(root.check("/bin/sh"));
  CHECK_FALSE(root.check("sh"));
  root.add("/app/tool", static_program("linux/arm64"));
  CHECK_FALSE(root.check("./tool", "", "/app"));
}

TEST_CASE("what is not there or not executable is left to the sandbox") {
  Root root;
  CHECK_FALSE(root.check("/bin/missing"));
  CHECK_FALSE(root.check("missing"));
  CHECK_FALSE(root.check(""));
  root.add("/bin/data", "text\n", 0644);
  CHECK_FALSE(root.check("/bin/data"));
  CHECK_FALSE(root.check("/bin"));
}

TEST_CASE("a program of another architecture is reported with both platforms") {
  Root root;
  root.add("/bin/sh", static_program("linux/amd64"));
  const auto problem = root.check("/bin/sh");
  REQUIRE(problem);
  CHECK(problem->kind == Problem::Kind::wrong_architecture);
  CHECK(problem->found == "linux/amd64");
  CHECK(problem->message == "/bin/sh in the image is a program for amd64 (x86-64), but the step is for linux/arm64");
  CHECK(mentions(problem->advice, "$TARGETARCH"));
}

TEST_CASE("PATH is searched as execvp does") {
  Root root;
  root.add("/bin/tool", static_program("linux/amd64"));
  root.add("/usr/bin/tool", "no program", 0644);  // passed over: not executable
  CHECK(root.check("tool"));
  root.add("/usr/bin/tool", static_program("linux/arm64"));
  CHECK_FALSE(root.check("tool"));
  CHECK(root.check("tool", "bin"));  // relative to the working directory
}

TEST_CASE("links are followed within the root only") {
  Root root;
  root.add("/opt/real", static_program("linux/s390x"));
  root.link("/opt/real", "/bin/link");
  root.link("../../../../../../bin/sh", "/bin/up");
  REQUIRE(root.check("/bin/link"));
  CHECK(root.check("/bin/link")->found == "linux/s390x");
  CHECK_FALSE(root.check("/bin/up"));
}

TEST_CASE("a 386 program in an amd64 step is in order") {
  Root root;
  root.add("/bin/x86", static_program("linux/386"));
  CHECK_FALSE(check_executable(root.directory(), "/bin/x86", "", "/", platforms::parse_platform("linux/amd64")));
}

TEST_CASE("a missing loader is named, with the base that has it") {
  Root root;
  root.remove(std::string(k_loader));
  const auto glibc = root.check("/bin/sh");
  REQUIRE(glibc);
  CHECK(glibc->kind == Problem::Kind::loader_missing);
  CHECK(glibc->message == "/bin/sh needs the loader /lib/ld-linux-aarch64.so.1, which is not in the image");
  CHECK(mentions(glibc->advice, "needs a glibc base"));
  root.add("/lib/ld-musl-aarch64.so.1", static_program("linux/arm64"));
  CHECK(mentions(root.check("/bin/sh")->advice, "linked with glibc, the image has musl"));
}

TEST_CASE("a loader of another architecture is reported") {
  Root root;
  root.add(std::string(k_loader), static_program("linux/amd64"));
  const auto problem = root.check("/bin/sh");
  REQUIRE(problem);
  CHECK(problem->kind == Problem::Kind::wrong_architecture);
  CHECK(problem->path == k_loader);
}

TEST_CASE("an interpreter's name behind the first page is found") {
  Root root;
  root.add("/bin/far",
           make_elf({.platform = "linux/arm64",
                     .type = 3,
                     .code = "",
                     .segments = {{.type = k_interp, .content = std::string("/lib/none\0", 10), .align = 1}},
                     .gap = 10000}));
  REQUIRE(root.check("/bin/far"));
  CHECK(mentions(root.check("/bin/far")->message, "/lib/none"));
}

TEST_CASE("scripts are followed to their interpreters") {
  Root root;
  root.add("/app/run", "#! /bin/sh -e\n");
  CHECK_FALSE(root.check("/app/run"));
  root.add("/app/outer", "#!/app/run\n");
  CHECK_FALSE(root.check("/app/outer"));
  root.add("/bin/sh", static_program("linux/amd64"));
  REQUIRE(root.check("/app/outer"));
  CHECK(root.check("/app/outer")->path == "/bin/sh");
}

TEST_CASE("a script that runs itself comes to an end") {
  Root root;
  root.add("/app/self", "#!/app/self\n");
  CHECK_FALSE(root.check("/app/self"));
}

TEST_CASE("a script's missing interpreter is named") {
  Root root;
  root.add("/app/run", "#!/bin/bash\n");
  const auto problem = root.check("/app/run");
  REQUIRE(problem);
  CHECK(problem->kind == Problem::Kind::interpreter_missing);
  CHECK(problem->message == "/app/run is a script for /bin/bash, which is not in the image");
}

TEST_CASE("Windows line ends are recognised") {
  Root root;
  root.add("/app/run", "#!/bin/sh\r\necho\r\n");
  const auto problem = root.check("/app/run");
  REQUIRE(problem);
  CHECK(mentions(problem->message, "/app/run has Windows line ends"));
  CHECK(mentions(problem->advice, "sed -i"));
}

TEST_CASE("files that are no programs are named for what they are") {
  Root root;
  root.add("/app/text", "echo hello\n");
  CHECK(mentions(root.check("/app/text")->message, "text file whose first line does not name an interpreter"));
  root.add("/app/empty", "");
  CHECK(mentions(root.check("/app/empty")->message, "empty file"));
  root.add("/app/mac", std::string("\xcf\xfa\xed\xfe\x07\0\0\1", 8));
  CHECK(mentions(root.check("/app/mac")->message, "macOS program"));
  root.add("/app/object", make_elf({.platform = "linux/arm64", .type = 1, .code = "", .segments = {}, .gap = 0}));
  CHECK(mentions(root.check("/app/object")->message, "was not linked"));
  root.add("/app/binary", std::string("\0\1\2\3", 4));
  CHECK_FALSE(root.check("/app/binary"));  // a handler of the host may know it
  root.add("/app/bare", "#!\n");
  CHECK_FALSE(root.check("/app/bare"));
}

TEST_CASE("the usual case is two files opened and a page read of each, however long they are") {
  Root root;
  root.add("/bin/sh", dynamic_program("linux/arm64", std::string(k_loader)) + std::string(4 << 20, 'x'));
  root.add(std::string(k_loader), static_program("linux/arm64") + std::string(4 << 20, 'x'));
  const auto before = reads_of_this_thread();
  NEEDS(before, "a kernel that counts what a thread reads");
  CHECK_FALSE(root.check("/bin/sh"));
  const auto after = reads_of_this_thread();
  CHECK(after->calls - before->calls <= 2 + k_reads_of_the_counters);
  CHECK(after->bytes - before->bytes <= 3 * k_elf_probe_bytes);
}
