#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "tests/catch.h"
#include "tests/temporary.h"
#include "worker/native/linking.h"
#include "worker/native/loader_cache.h"
#include "worker/native/native_set.h"
#include "worker/native/packages.h"
#include "worker/native/root_files.h"
#include "worker/native/root_services.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::TemporaryDirectory;

namespace {

// A root directory with dpkg's database, filled by the tests.
class Root {
 public:
  Root() {
    make_directories(place_ / "var/lib/dpkg/info");
    make_directories(place_ / "usr/bin");
    install("gzip", "1.12-1", "usr/bin/gzip", "the program");
  }
  void install(const std::string& package, const std::string& version, const std::string& path,
               const std::string& content) {
    write(path, content);
    status_ += "Package: " + package + "\nStatus: install ok installed\nVersion: " + version + "\n\n";
    write("var/lib/dpkg/status", status_);
    const Fd file = open_file(place_ / path, O_RDONLY);
    write("var/lib/dpkg/info/" + package + ".md5sums", md5_of_rest(file.get()) + "  " + path + "\n");
  }
  void write(const std::string& path, const std::string& content) {
    write_file_atomically(place_ / path, content, 0755);
  }
  Fd open() const { return open_file(place_.path(), O_RDONLY | O_DIRECTORY); }
  std::string operator/(const std::string& path) const { return place_ / path; }

 private:
  TemporaryDirectory place_;
  std::string status_;
};

}  // namespace

TEST_CASE("a program is known by its package, version and checksum", "[native]") {
  Root root;
  const auto found = substitutable(root.open().get(), "usr/bin/gzip");
  REQUIRE(found);
  CHECK(found->package == "gzip");
  CHECK(found->version == "1.12-1");
  CHECK(is_as_packaged(root.open().get(), "usr/bin/gzip", *found));
  CHECK(!is_as_packaged(root.open().get(), "usr/bin/gzip", {"gzip", "1.12-2"}));
}

TEST_CASE("a changed program has no native equivalent", "[native]") {
  Root root;
  root.write("usr/bin/gzip", "another program");
  CHECK(!substitutable(root.open().get(), "usr/bin/gzip"));
}

TEST_CASE("of the packages' programs those that tell of the machine are left out", "[native]") {
  Root root;
  root.install("coreutils", "9.1-1", "usr/bin/uname", "tells");
  CHECK(!substitutable(root.open().get(), "usr/bin/uname"));
  root.install("coreutils", "9.1-1", "usr/bin/seq", "has numbers of another precision");
  CHECK(!substitutable(root.open().get(), "usr/bin/seq"));
  root.install("dpkg", "1.21", "usr/bin/dpkg-divert", "goes through files by a hash of their names");
  CHECK(!substitutable(root.open().get(), "usr/bin/dpkg-divert"));
  root.install("dpkg", "1.21", "usr/bin/dpkg-deb", "packs");
  CHECK(substitutable(root.open().get(), "usr/bin/dpkg-deb"));
  root.install("perl-base", "5.36", "usr/bin/perl", "has native modules");
  CHECK(!substitutable(root.open().get(), "usr/bin/perl"));
}

TEST_CASE("names of packages are of the time before bin was a link to usr/bin", "[native]") {
  Root root;
  root.install("sed", "4.9-1", "usr/bin/sed", "edits");
  const Fd file = open_file(root / "usr/bin/sed", O_RDONLY);
  root.write("var/lib/dpkg/info/sed.md5sums", md5_of_rest(file.get()) + "  bin/sed\n");
  CHECK(substitutable(root.open().get(), "usr/bin/sed"));
}

TEST_CASE("a program is known by the database of apk", "[native]") {
  TemporaryDirectory place;
  const auto write = [&](const std::string& path, const std::string& content) {
    make_directories((std::filesystem::path(place.path()) / path).parent_path());
    write_file_atomically(place / path, content, 0755);
  };
  const auto found = [&](const std::string& path) {
    return substitutable(open_file(place.path(), O_RDONLY | O_DIRECTORY).get(), path);
  };
  const std::string sum = "Q1" + encode_base64(sha1_bytes("applets"));
  const std::string database = "C:Q1x\nP:musl\nV:1.2\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:" + sum +
                               "\n\nC:Q1y\nP:busybox\nV:1.36.1-r29\nA:x86_64\nF:bin\nR:busybox\na:0:0:755\nZ:" + sum +
                               "\nF:etc\nF:usr/bin\nR:cat\nZ:Q1zz\nR:none\n\n";
  write("lib/apk/db/installed", database);
  write("bin/busybox", "applets");
  const auto busybox = found("bin/busybox");
  REQUIRE(busybox);
  CHECK(busybox->package == "busybox");
  CHECK(busybox->version == "1.36.1-r29");
  CHECK(is_as_packaged(open_file(place.path(), O_RDONLY | O_DIRECTORY).get(), "bin/busybox", *busybox));
  write("usr/bin/busybox", "applets");
  CHECK(found("usr/bin/busybox"));  // bin is a link to usr/bin
  write("usr/bin/cat", "applets");
  CHECK(!found("usr/bin/cat"));  // another checksum
  write("lib/ld-musl-x86_64.so.1", "applets");
  CHECK(!found("lib/ld-musl-x86_64.so.1"));  // no program that is known to do the same
  CHECK(!found("bin/none"));
  write("bin/busybox", "other applets");
  CHECK(!found("bin/busybox"));
  CHECK(open_package_database(open_file(place.path(), O_RDONLY | O_DIRECTORY).get()));
  for (std::size_t size = 0; size < database.size(); ++size) {
    write("lib/apk/db/installed", database.substr(0, size));
    CHECK_NOTHROW(found("bin/busybox"));
  }
}

TEST_CASE("a database that is no file, or leads to a device, knows nothing", "[native]") {
  Root root;
  const std::string status = root / "var/lib/dpkg/status";
  std::filesystem::remove(status);
  CHECK(!substitutable(root.open().get(), "usr/bin/gzip"));
  REQUIRE(::mkfifo(status.c_str(), 0644) == 0);
  CHECK(!substitutable(root.open().get(), "usr/bin/gzip"));
  std::filesystem::remove(status);
  std::filesystem::create_symlink("/dev/zero", status);
  CHECK(!substitutable(root.open().get(), "usr/bin/gzip"));
}

TEST_CASE("a file of no sane size is not read", "[native]") {
  Root root;
  std::filesystem::resize_file(root / "usr/bin/gzip", std::uintmax_t{1} << 40);
  CHECK(!open_sane(root.open().get(), "usr/bin/gzip"));
  CHECK(!substitutable(root.open().get(), "usr/bin/gzip"));
}

TEST_CASE("how a program of this host is linked", "[native]") {
  const std::string bytes = read_file("/bin/sh");
  const auto linking = read_linking(bytes);
  REQUIRE(linking);
  CHECK(linking->interpreter.starts_with("/lib"));
  CHECK(std::ranges::find(linking->needed, "libc.so.6") != linking->needed.end());
  const auto other = read_linking(relinked(bytes, *linking, "/proc/driver/ld"));
  REQUIRE(other);
  CHECK(other->interpreter == "/proc/driver/ld");
  CHECK(other->needed == linking->needed);
}

TEST_CASE("what is no program, or damaged, has no linking", "[native]") {
  CHECK(!read_linking(""));
  CHECK(!read_linking("#!/bin/sh\n"));
  const std::string bytes = read_file("/bin/sh");
  for (std::size_t size = 0; size < 4096; size += 7) CHECK_NOTHROW(read_linking(bytes.substr(0, size)));
}

namespace {

// A text that only a relocated pointer leads to.
const char* volatile g_text = "a text of this test alone";

}  // namespace

TEST_CASE("a text of a program is replaced by a longer one", "[native]") {
  const std::string bytes = read_file("/proc/self/exe"), text = g_text;
  const std::string longer = text + ", and some words more";
  const auto changed = with_text(bytes, text, longer);
  REQUIRE(changed);
  CHECK(changed->size() == bytes.size());
  CHECK(changed->find(longer + '\0') != std::string::npos);
  std::size_t differing = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) differing += bytes[i] != (*changed)[i] ? 1 : 0;
  CHECK(differing <= longer.size() + sizeof(void*));  // and the pointer
  CHECK(with_text(bytes, "no such text is anywhere" + std::to_string(differing), "x") == bytes);
  CHECK(!with_text(bytes, text, std::string(5000, 'x')));  // no room
}

TEST_CASE("the loader's cache is sorted as the loader searches it", "[native]") {
  const auto cache = loader_cache({{"liba.so.2", "/x"}, {"liba.so.10", "/y"}, {"libb.so", "/z"}});
  CHECK(cache.starts_with("glibc-ld.so.cache1.1"));
  CHECK(cache.find("libb.so") < cache.find("liba.so.10"));
  CHECK(cache.find("liba.so.10") < cache.find("liba.so.2"));
}

TEST_CASE("a set has a program with its loader and libraries, by numbers", "[native]") {
  TemporaryDirectory place;
  NativeSet set(place.path(), open_file("/", O_RDONLY | O_DIRECTORY));
  const auto gzip = set.add("usr/bin/gzip");
  CHECK(set.add("usr/bin/gzip") == gzip);
  const std::string program = place / ("p/" + std::to_string(gzip) + "/gzip");
  CHECK(read_linking(read_file(program))->interpreter == "/proc/driver/ld");
  CHECK(path_exists(place / "ld"));
  CHECK(read_file(place / "c").starts_with("glibc-ld.so.cache1.1"));
  CHECK(set.name(gzip, "gunzip"));
  CHECK(path_exists(place / ("p/" + std::to_string(gzip) + "/gunzip")));
  CHECK(!set.name(gzip, "../gunzip"));
  CHECK(!set.name(gzip, ""));
  CHECK(!set.name(gzip + 1, "gzip"));
}

TEST_CASE("a loader of musl finds libraries by their names in one directory", "[native]") {
  using namespace std::string_literals;
  Root root;
  const auto linking = read_linking(read_file("/bin/sh"));
  REQUIRE(linking);
  root.write("usr/bin/sh", read_file("/bin/sh"));
  const std::string loader = root / linking->interpreter.substr(1);
  make_directories(std::filesystem::path(loader).parent_path());
  make_directories(root / "lib");
  root.write("lib/ld-musl.so.1", "\0/lib:/usr/local/lib:/usr/lib\0"s);
  std::filesystem::create_symlink("/lib/ld-musl.so.1", loader);
  for (const auto& name : linking->needed) root.write("lib/" + name, read_file("/bin/true"));
  TemporaryDirectory place;
  NativeSet set(place.path(), root.open());
  CHECK(set.add("usr/bin/sh") == 0);
  CHECK(read_file(place / "ld").starts_with("\0/proc/driver/l\0"s));
  for (const auto& name : linking->needed) CHECK(path_exists(place / ("l/" + name)));
  CHECK(!set.has_way_back());
}

TEST_CASE("sets share a directory by parts and numbers of their own", "[native]") {
  TemporaryDirectory place;
  NativeSet one(place.path(), open_file("/", O_RDONLY | O_DIRECTORY));
  NativeSet other(place.path(), open_file("/", O_RDONLY | O_DIRECTORY), "q", 1000);
  CHECK(one.add("usr/bin/gzip") == 0);
  CHECK(other.add("usr/bin/gzip", [](std::string bytes) { return bytes + "changed"; }) == 1000);
  CHECK(read_linking(read_file(place / "p/1000/gzip"))->interpreter == "/proc/driver/q/ld");
  CHECK(read_file(place / "p/1000/gzip").ends_with("changed"));
  CHECK(read_file(place / "q/c").find("/proc/driver/q/l/") != std::string::npos);
  CHECK(path_exists(place / "ld"));
}

TEST_CASE("a set has conversions of character sets and the services of libc by need") {
  TemporaryDirectory place;
  NativeSet set(place.path(), open_file("/", O_RDONLY | O_DIRECTORY));
  const auto gzip = set.add("usr/bin/gzip");
  CHECK(!set.converts(gzip));
  CHECK(!path_exists(place / "g"));
  set.add_conversions();
  CHECK(path_exists(place / "g/ISO8859-1.so"));
  CHECK(!path_exists(place / "g/gconv-modules.cache"));  // has paths of the root
  bool leads_there = false;
  for (const auto& file : std::filesystem::directory_iterator(place / "l")) {
    leads_there = leads_there || read_file(file.path()).contains(std::string("\0/proc/driver/g\0", 17));
  }
  CHECK(leads_there);
  CHECK(set.add_service("compat"));
  CHECK(set.add_service("compat"));
  CHECK(read_file(place / "c").contains("libnss_compat.so.2"));
  CHECK(!set.add_service("nowhere"));
}

TEST_CASE("services by which users and groups are looked up") {
  Root root;
  CHECK(lookup_services(root.open().get()) == std::set<std::string>{"compat", "dns", "files"});
  make_directories(root / "etc");
  root.write(
      "etc/nsswitch.conf",
      "# passwd: one\npasswd:\tfiles systemd [NOTFOUND=return] extrausers # two\n group:files sss\nhosts: three\n");
  CHECK(lookup_services(root.open().get()) == std::set<std::string>{"dns", "extrausers", "files", "sss"});
  CHECK(!has_service(root.open().get(), "sss"));
  make_directories(root / "usr/lib/aarch64-linux-gnu/gconv/gconv-modules.d");
  root.write("usr/lib/aarch64-linux-gnu/libnss_sss.so.2", "");
  CHECK(has_service(root.open().get(), "sss"));
}

TEST_CASE("conversions of character sets are known by their names") {
  Root root;
  CHECK(conversion_files(root.open().get()).empty());
  make_directories(root / "usr/lib/aarch64-linux-gnu/gconv/gconv-modules.d");
  for (const char* name : {"ISO8859-1.so", "gconv-modules.cache", "gconv-modules.d/extra.conf"}) {
    root.write(std::string("usr/lib/aarch64-linux-gnu/gconv/") + name, "");
  }
  CHECK(conversion_files(root.open().get()) == std::set<std::string>{"ISO8859-1.so", "extra.conf", "gconv-modules.d"});
}

TEST_CASE("what can't be run by a loader of its own is refused", "[native]") {
  Root root;
  TemporaryDirectory place;
  NativeSet set(place.path(), root.open());
  CHECK_THROWS_AS(set.add("usr/bin/gzip"), Error);     // no program
  CHECK_THROWS_AS(set.add("usr/bin/missing"), Error);  // not there
  root.write("usr/bin/sh", read_file("/bin/sh"));      // the root has no loader
  CHECK_THROWS_AS(set.add("usr/bin/sh"), Error);
}
