#include "worker/native/go_tools.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/digest.h"
#include "base/fd.h"
#include "base/strings.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::TemporaryDirectory;

namespace {

#if defined(__aarch64__)
const std::string k_own = "linux_arm64", k_foreign = "linux_amd64";
#else
const std::string k_own = "linux_amd64", k_foreign = "linux_arm64";
#endif
constexpr long k_time = 1719864653;
const std::string k_version = "go1.22.5\ntime 2024-07-01T20:10:53Z\n";

// A root directory with tools for one platform.
class GoRoot {
 public:
  GoRoot(std::string go_root, const std::string& platform, const std::string& version)
      : go_root_(std::move(go_root)), tools_(go_root_ + "/pkg/tool/" + platform + "/") {
    write(go_root_ + "/VERSION", version);
    for (const char* name : {"compile", "vet"}) write(tools_ + name, "a tool");
  }
  void write(const std::string& path, const std::string& content, long time = k_time) {
    make_directories(std::filesystem::path(place_ / path).parent_path());
    write_file_atomically(place_ / path, content, 0755);
    const timespec times[] = {{time, 0}, {time, 0}};
    ::utimensat(AT_FDCWD, (place_ / path).c_str(), times, 0);
  }
  void install(const std::string& package, const std::string& version) {
    write("var/lib/dpkg/status", "Package: " + package + "\nVersion: " + version + "\n\n");
    const Fd file = open_file(place_ / (tools_ + "compile"), O_RDONLY);
    write("var/lib/dpkg/info/" + package + ".md5sums", md5_of_rest(file.get()) + "  " + tools_ + "compile\n");
  }
  Fd open() const { return open_file(place_.path(), O_RDONLY | O_DIRECTORY); }
  std::string tool(const std::string& name) const { return tools_ + name; }

 private:
  TemporaryDirectory place_;
  std::string go_root_, tools_;
};

std::optional<std::string> native_of(const GoRoot& root, const GoRoot& native, const std::string& name = "compile") {
  return native_go_tool(root.open().get(), root.tool(name), native.open().get());
}

}  // namespace

TEST_CASE("a tool of the same release of Go is native", "[native]") {
  GoRoot root("usr/local/go", k_foreign, k_version), native("usr/local/go", k_own, k_version);
  CHECK(native_of(root, native) == native.tool("compile"));
  CHECK(!native_of(root, native, "vet"));
  CHECK(!native_of(root, native, "asm"));  // is not there
  CHECK(!native_of(root, GoRoot("usr/local/go", k_own, "go1.22.6\ntime 2024-07-01T20:10:53Z\n")));
  CHECK(!native_of(root, GoRoot("opt/go", k_own, k_version)));
  CHECK(!native_go_tool(root.open().get(), "usr/local/go/bin/compile", native.open().get()));
  root.write(root.tool("compile"), "a tool", k_time + 1);  // was made anew
  CHECK(!native_of(root, native));
}

TEST_CASE("a release of Go whose time is not known is none", "[native]") {
  for (const char* version : {"", "go1.19", "go1.22.5\ntime yesterday\n", "devel go1.23\ntime \n"}) {
    CHECK(!native_of(GoRoot("go", k_foreign, version), GoRoot("go", k_own, version)));
  }
}

TEST_CASE("a tool of the same package of Go is native", "[native]") {
  GoRoot root("usr/lib/go-1.24", k_foreign, "go1.24.4"), native("usr/lib/go-1.24", k_own, "go1.24.4");
  CHECK(!native_of(root, native));
  root.install("golang-1.24-go", "1.24.4-1");
  native.install("golang-1.24-go", "1.24.4-1");
  CHECK(native_of(root, native) == native.tool("compile"));
  root.write(root.tool("compile"), "another tool");
  CHECK(!native_of(root, native));
  native.install("golang-1.24-go", "1.24.4-2");
  CHECK(!native_of(root, native));
}

TEST_CASE("a tool of Go is told the platform by its environment", "[native]") {
  CHECK(!needs_emulated_go_tool({"-o", "x.a", "x.go"}, {"GOOS=linux", "A=b", "GOARCH=arm64"}));
  CHECK(needs_emulated_go_tool({"-o", "x.a", "x.go"}, {"GOOS=linux", "GOARCH="}));
  CHECK(needs_emulated_go_tool({"-o", "x.a", "x.go"}, {"GOARCH=arm64"}));
  CHECK(needs_emulated_go_tool({"-V=full"}, {"GOOS=linux", "GOARCH=arm64"}));
  CHECK(needs_emulated_go_tool({}, {"GOOS=linux", "GOARCH=arm64"}));
}
