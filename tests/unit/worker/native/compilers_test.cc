#include "worker/native/compilers.h"

#include <fcntl.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

constexpr const char* k_own_compilers = "usr/libexec/gcc/aarch64-linux-gnu/14/";
constexpr const char* k_cross_compilers = "usr/libexec/gcc-cross/aarch64-linux-gnu/14/";

// A root directory in which one package has one file.
class PackageRoot {
 public:
  PackageRoot(const std::string& package, const std::string& version, const std::string& path,
              const std::string& content) {
    make_directories(place_ / "var/lib/dpkg/info");
    write(path, content);
    write("var/lib/dpkg/status", "Package: " + package + "\nVersion: " + version + "\n\n");
    const Fd file = open_file(place_ / path, O_RDONLY);
    write("var/lib/dpkg/info/" + package + ".md5sums", md5_of_rest(file.get()) + "  " + path + "\n");
  }
  void write(const std::string& path, const std::string& content) {
    make_directories(dir_name(place_ / path));
    write_file_atomically(place_ / path, content, 0755);
  }
  Fd open() const { return open_file(place_.path(), O_RDONLY | O_DIRECTORY); }

 private:
  testing::TemporaryDirectory place_;
};

CrossProgram cc1() {
  PackageRoot root("cpp-14-aarch64-linux-gnu", "14.2.0-19", std::string(k_own_compilers) + "cc1", "the own one");
  return cross_program(root.open().get(), std::string(k_own_compilers) + "cc1").value();
}

std::string own_path(const std::string& text) { return with_own_paths('\0' + text + '\0', cc1()).c_str() + 1; }

}  // namespace

TEST_CASE("a compiler's program is known by its package", "[native]") {
  const auto found = cc1();
  CHECK(found.name == "cc1");
  CHECK(found.in_pack == std::string(k_cross_compilers) + "cc1");
  CHECK(found.package.version == "14.2.0-19");
  PackageRoot other("another", "14.2.0-19", std::string(k_own_compilers) + "cc1", "the own one");
  CHECK(!cross_program(other.open().get(), std::string(k_own_compilers) + "cc1"));
  PackageRoot driver("gcc-14-aarch64-linux-gnu", "14.2.0-19", std::string(k_own_compilers) + "collect2",
                     "starts others");
  CHECK(!cross_program(driver.open().get(), std::string(k_own_compilers) + "collect2"));
  PackageRoot assembler("binutils-x86-64-linux-gnu", "2.44-3", "usr/bin/x86_64-linux-gnu-as", "assembles");
  CHECK(cross_program(assembler.open().get(), "usr/bin/x86_64-linux-gnu-as")->name == "as");
}

TEST_CASE("packages and directories up to gcc 12") {
  const std::string path = "usr/lib/gcc/aarch64-linux-gnu/12/cc1plus";
  PackageRoot root("g++-12", "12.2.0-14+deb12u1", path, "the own one");
  const auto found = cross_program(root.open().get(), path).value();
  CHECK(found.in_pack == "usr/lib/gcc-cross/aarch64-linux-gnu/12/cc1plus");
  CHECK(found.own_directory == "/usr/lib/gcc/aarch64-linux-gnu/12");
  PackageRoot pack("g++-12-aarch64-linux-gnu", "12.2.0-14+deb12u1cross0", found.in_pack, "a cross compiler");
  CHECK(is_same_source(pack.open().get(), found));
  PackageRoot older("g++-12-aarch64-linux-gnu", "12.2.0-14cross1", found.in_pack, "a cross compiler");
  CHECK_FALSE(is_same_source(older.open().get(), found));
}

TEST_CASE("a changed compiler has no other", "[native]") {
  PackageRoot root("cpp-14-aarch64-linux-gnu", "14.2.0-19", std::string(k_own_compilers) + "cc1", "the own one");
  root.write(std::string(k_own_compilers) + "cc1", "another");
  CHECK(!cross_program(root.open().get(), std::string(k_own_compilers) + "cc1"));
}

TEST_CASE("a cross compiler is of the same source where the version says so exactly", "[native]") {
  const auto program = cc1();
  const auto same = [&](const std::string& version) {
    PackageRoot pack("cpp-14-aarch64-linux-gnu", version, std::string(k_cross_compilers) + "cc1", "a cross compiler");
    return is_same_source(pack.open().get(), program);
  };
  CHECK(same("14.2.0-19cross1"));
  CHECK(same("14.2.0-19cross12"));
  for (const char* other :
       {"14.2.0-19", "14.2.0-19cross", "14.2.0-1cross1", "14.2.0-19+deb13u1cross1", "14.2.0-19cross1+b1"})
    CHECK(!same(other));
}

TEST_CASE("the plugin of the linker is the compiler's", "[native]") {
  const std::string path = std::string(k_own_compilers) + "liblto_plugin.so";
  PackageRoot root("gcc-14-aarch64-linux-gnu", "14.2.0-19", path, "a plugin");
  CHECK(linker_plugin(root.open().get(), path));
  CHECK(!cross_program(root.open().get(), path));
  CHECK(!linker_plugin(root.open().get(), "usr/lib/another.so"));
}

TEST_CASE("a cross compiler gets the paths of the own one", "[native]") {
  const std::string cross = "/usr/lib/gcc-cross/aarch64-linux-gnu/14", own = "/usr/lib/gcc/aarch64-linux-gnu/14";
  CHECK(own_path(cross + "/include") == own + "/include");
  CHECK(own_path("/usr/lib/gcc-cross/") == "/usr/lib/gcc/");
  CHECK(own_path(cross + "/../../../../aarch64-linux-gnu/include") == own + "/../../../../aarch64-linux-gnu/include");
  const std::string cxx = cross + "/../../../../aarch64-linux-gnu/include/c++/14";
  CHECK(own_path(cxx) == own + "/../../../../include/c++/14");
  CHECK(own_path(cxx + "/aarch64-linux-gnu") == own + "/../../../../include/aarch64-linux-gnu/c++/14");
  CHECK(own_path(cross + "/../../../../aarch64-linux-gnu/libc++_include/c++/14/v1") ==
        own + "/../../../../libc++_include/c++/14/v1");
  CHECK(own_path(cxx + "/backward") == own + "/../../../../include/c++/14/backward");
}

TEST_CASE("a cross compiler with a path that is not known is not used", "[native]") {
  CHECK_THROWS_AS(own_path("/usr/lib/gcc-cross/another/14/include"), Error);
  CHECK_THROWS_AS(own_path("--prefix=/usr/lib/gcc-cross/"), Error);
}

TEST_CASE("a pack may say what it was made to replace") {
  PackageRoot pack("binutils", "2", "usr/bin/as", "x");
  CHECK(replaced_programs(pack.open().get()).empty());
  pack.write("usr/share/compiler-pack",
             "compiler pack 1\nprogram ab usr/bin/as\nreplaces cd usr/bin/as\nreplaces ef x\n");
  CHECK(replaced_programs(pack.open().get()) == std::set<std::string>{"cd", "ef"});
}

TEST_CASE("the version of an installed package") {
  PackageRoot root("libgcc-s1", "14.2.0-19", "usr/lib/x", "x");
  CHECK(installed_version(root.open().get(), "libgcc-s1") == "14.2.0-19");
  CHECK(installed_version(root.open().get(), "libgcc").empty());
  CHECK(has_package_database(root.open().get()));
  const testing::TemporaryDirectory empty;
  CHECK_FALSE(has_package_database(open_file(empty.path(), O_RDONLY | O_DIRECTORY).get()));
}
