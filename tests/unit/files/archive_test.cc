#include "files/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;
using Paths = std::vector<std::string>;

namespace {

// Writes a tar archive, entry by entry.
class TarFile {
 public:
  explicit TarFile(const std::string& path, int filter = ARCHIVE_FILTER_NONE) : handle_(::archive_write_new()) {
    ::archive_write_set_format_pax_restricted(handle_);
    ::archive_write_add_filter(handle_, filter);
    ::archive_write_set_bytes_in_last_block(handle_, 1);
    REQUIRE(::archive_write_open_filename(handle_, path.c_str()) == ARCHIVE_OK);
  }
  ~TarFile() {
    ::archive_write_close(handle_);
    ::archive_write_free(handle_);
  }

  struct Options {
    unsigned mode = 0644;
    int uid = 3, gid = 4;
    long mtime = 1577934245;
    std::string capability;
  };

  TarFile& file(const std::string& path, const std::string& content, const Options& options) {
    return add(path, AE_IFREG, content, "", "", options);
  }
  TarFile& file(const std::string& path, const std::string& content = "x") { return file(path, content, Options()); }
  TarFile& directory(const std::string& path, unsigned mode = 0755) {
    Options options;
    options.mode = mode;
    return add(path, AE_IFDIR, "", "", "", options);
  }
  TarFile& link(const std::string& path, const std::string& target) {
    return add(path, AE_IFLNK, "", target, "", Options());
  }
  TarFile& hard_link(const std::string& path, const std::string& target) {
    return add(path, AE_IFREG, "", "", target, Options());
  }
  TarFile& pipe(const std::string& path) { return add(path, AE_IFIFO, "", "", "", Options()); }

 private:
  TarFile& add(const std::string& path, unsigned type, const std::string& content, const std::string& target,
               const std::string& hard_link, const Options& options) {
    struct archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, path.c_str());
    ::archive_entry_set_filetype(entry, type);
    ::archive_entry_set_perm(entry, static_cast<mode_t>(options.mode));
    ::archive_entry_set_uid(entry, options.uid);
    ::archive_entry_set_gid(entry, options.gid);
    ::archive_entry_set_mtime(entry, options.mtime, 0);
    if (!target.empty()) ::archive_entry_set_symlink(entry, target.c_str());
    if (!hard_link.empty()) ::archive_entry_set_hardlink(entry, hard_link.c_str());
    if (!options.capability.empty()) {
      ::archive_entry_xattr_add_entry(entry, "security.capability", options.capability.data(),
                                      options.capability.size());
      ::archive_entry_xattr_add_entry(entry, "user.note", "n", 1);
    }
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    REQUIRE(::archive_write_header(handle_, entry) == ARCHIVE_OK);
    ::archive_write_data(handle_, content.data(), content.size());
    ::archive_entry_free(entry);
    return *this;
  }

  struct archive* handle_;
};

graph::FileAction add_action(const std::string& source, const std::string& destination) {
  graph::FileAction action = copy_action(source, destination);
  action.unpack = true;
  return action;
}

// A context with archives, and a root that they are added to.
struct Adding {
  FileTree context_tree, root;

  TarFile tar(const std::string& name, int filter = ARCHIVE_FILTER_NONE) {
    return TarFile(context_tree.host_path(name), filter);
  }
  Paths add(const std::string& source, const std::string& destination) {
    return apply(root, context(context_tree), add_action(source, destination));
  }
  bool sniff(const std::string& name) { return is_archive(open_file(context_tree.host_path(name), O_RDONLY).get()); }
};

}  // namespace

TEST_CASE("An archive is unpacked with its numeric owners, modes and times") {
  Adding test;
  test.tar("t.tar")
      .file("foo", "foo", {.mode = 0600, .capability = {}})
      .directory("sub", 0750)
      .file("sub/bar", "bar")
      .link("l", "foo");
  CHECK(test.add("t.tar", "/t/") == Paths{"t", "t/foo", "t/l", "t/sub", "t/sub/bar"});
  CHECK(test.root.at("t") == "dir 0755 0:0");
  CHECK(test.root.at("t/foo") == "file 0600 3:4 foo");
  CHECK(test.root.at("t/sub") == "dir 0750 3:4");
  CHECK(test.root.at("t/l") == "link foo");
  CHECK(test.root.inode("t/sub").mtime_sec == 1577934245);
  CHECK(test.root.inode("t/sub/bar").mtime_sec == 1577934245);
  CHECK(test.root.inode("t").mtime_sec == 0);
}

TEST_CASE("Archives are known by content: every compression, whatever the name") {
  Adding test;
  for (const int filter :
       {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD}) {
    test.tar("odd.bin", filter).file("f", "content");
    CHECK(test.sniff("odd.bin"));
    const std::string destination = "/d" + std::to_string(filter);
    test.add("odd.bin", destination);
    CHECK(test.root.content(destination.substr(1) + "/f") == "content");
  }
}

TEST_CASE("What is no archive with entries is copied as it is") {
  Adding test;
  test.context_tree.file("fake.tar", "no tar\n").file("empty", "").file("zeros", std::string(10240, '\0'));
  test.context_tree.file("half.gz", "\x1f\x8b\x08 broken");
  test.tar("inner.tar").file("f");
  for (const char* name : {"fake.tar", "empty", "zeros", "half.gz"}) {
    CHECK_FALSE(test.sniff(name));
    CHECK(test.add(name, "/") == Paths{name});
    CHECK(test.root.content(name) == test.context_tree.content(name));
  }
  test.context_tree.directory("d");
  REQUIRE(::rename(test.context_tree.host_path("inner.tar").c_str(),
                   test.context_tree.host_path("d/inner.tar").c_str()) == 0);
  CHECK(test.add("d", "/d") == Paths{"d", "d/inner.tar"});
}

TEST_CASE("Without unpack an archive is a file") {
  Adding test;
  test.tar("t.tar").file("f");
  CHECK(apply(test.root, context(test.context_tree), copy_action("t.tar", "/")) == Paths{"t.tar"});
}

TEST_CASE("Owners are replaced by --chown, modes are not by --chmod") {
  Adding test;
  test.tar("t.tar").directory("s", 0700).file("s/f");
  graph::FileAction action = add_action("t.tar", "/t/");
  action.owner = "7:8";
  action.mode = "0711";
  apply(test.root, context(test.context_tree), action);
  CHECK(test.root.at("t") == "dir 0755 7:8");
  CHECK(test.root.at("t/s") == "dir 0700 7:8");
  CHECK(test.root.at("t/s/f") == "file 0644 7:8 x");
}

TEST_CASE("Parents that an archive does not list are made as root's, and left alone where they exist") {
  Adding test;
  test.tar("t.tar").file("a/b/x");
  test.root.directory("have/a", 0711);
  CHECK(test.add("t.tar", "/new") == Paths{"new", "new/a", "new/a/b", "new/a/b/x"});
  CHECK(test.root.at("new/a/b") == "dir 0755 0:0");
  CHECK(test.root.inode("new/a/b").mtime_sec == 0);
  CHECK(test.add("t.tar", "/have") == Paths{"have/a/b", "have/a/b/x"});
  CHECK(test.root.at("have/a").starts_with("dir 0711"));
}

TEST_CASE("Entries replace across types, directories merge") {
  Adding test;
  test.root.file("d/fd/in").file("d/dd/stay", "stay").file("d/df").link("d/ld", "/etc").file("d/lf");
  test.tar("t.tar")
      .directory("dd", 0700)
      .file("dd/new")
      .directory("df")
      .file("df/n")
      .file("fd")
      .directory("ld")
      .file("ld/l")
      .link("lf", "no");
  CHECK(test.add("t.tar", "/d") == Paths{"d/dd", "d/dd/new", "d/df", "d/df/n", "d/fd", "d/ld", "d/ld/l", "d/lf"});
  CHECK(test.root.content("d/dd/stay") == "stay");
  CHECK(test.root.at("d/dd") == "dir 0700 3:4");
  CHECK(test.root.at("d/fd") == "file 0644 3:4 x");
  CHECK(test.root.at("d/ld") == "dir 0755 3:4");
  CHECK(test.root.at("d/lf") == "link no");
}

TEST_CASE("Absolute links on the way are resolved inside the root, for hard links too") {
  Adding test;
  test.root.directory("run").link("var/run", "/run");
  test.tar("t.tar")
      .directory("var/run/act")
      .file("var/run/act/f", "f")
      .hard_link("var/run/act/g", "var/run/act/f")
      .file("var/run/new/h");
  CHECK(test.add("t.tar", "/") == Paths{"run/act", "run/act/f", "run/act/g", "run/new", "run/new/h"});
  CHECK(test.root.inode("run/act/f").inode == test.root.inode("run/act/g").inode);
  CHECK(test.root.at("var/run") == "link /run");
}

TEST_CASE("Nothing of an archive lands outside the directory it is unpacked into") {
  Adding test;
  test.tar("t.tar").file("/abs").link("out", "../../..").file("out/through");
  CHECK(test.add("t.tar", "/d") == Paths{"d", "d/abs", "d/out", "d/through"});
  CHECK(test.root.paths() == Paths{"d", "d/abs", "d/out", "d/through"});
}

TEST_CASE("A hard link to what is not there is an error") {
  Adding test;
  test.tar("t.tar").hard_link("a", "none");
  CHECK(error_of([&] { test.add("t.tar", "/"); }).find("none: no such file or directory") != std::string::npos);
}

TEST_CASE("A pipe in an archive becomes an empty file") {
  Adding test;
  test.tar("t.tar").pipe("p");
  test.add("t.tar", "/");
  CHECK(test.root.at("p") == "file 0644 3:4 ");
}

TEST_CASE("A name that leads out of the archive lands in its root") {
  for (const char* name : {"../f", "a/../../f", "./../f", "/../f", "a/../f"}) {
    Adding test;
    test.tar("t.tar").file(name, "x");
    test.add("t.tar", "/d");
    CHECK(test.root.content("d/f") == "x");
  }
}

TEST_CASE("A compressed archive that breaks off is no plain file") {
  Adding test;
  std::string noise;
  for (unsigned i = 0, value = 1; i < 20000; ++i, value = value * 1103515245 + 12345)
    noise += static_cast<char>(value >> 16);
  test.tar("t.tar.gz", ARCHIVE_FILTER_GZIP).file("f", noise);
  const auto path = test.context_tree.host_path("t.tar.gz");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK(test.sniff("t.tar.gz"));
  CHECK_THROWS(test.add("t.tar.gz", "/"));
}

TEST_CASE("Names in UTF-8 are kept") {
  Adding test;
  const std::string name =
      "gr\xc3\xbc\xc3\x9f"
      "e \xe2\x98\x83" +
      std::string(120, 'x');
  {
    // A pax header by hand: the writer would need a UTF-8 locale.
    const std::string record = " path=" + name + "\n";
    std::string text = std::to_string(record.size() + 3) + record;
    REQUIRE(text.size() == record.size() + 3);
    TarFile tar = test.tar("t.tar");
    tar.file("plain");
    (void)tar;
    std::string header(512, '\0');
    const auto fill = [&header](std::size_t at, const std::string& value) { header.replace(at, value.size(), value); };
    const auto finish = [&] {
      fill(257, std::string("ustar\0"
                            "00",
                            8));
      fill(148, "        ");
      unsigned sum = 0;
      for (const char c : header) sum += static_cast<unsigned char>(c);
      char digits[8];
      std::snprintf(digits, sizeof digits, "%06o", sum);
      fill(148, std::string(digits, 7));
    };
    const auto octal = [](std::size_t value) {
      char digits[12];
      std::snprintf(digits, sizeof digits, "%011zo", value);
      return std::string(digits);
    };
    std::string raw;
    fill(0, "pax");
    fill(100, "0000644");
    fill(124, octal(text.size()));
    fill(156, "x");
    finish();
    raw += header + text + std::string(512 - text.size() % 512, '\0');
    header.assign(512, '\0');
    fill(0, "short");
    fill(100, "0000644");
    fill(124, octal(0));
    fill(156, "0");
    finish();
    raw += header + std::string(1024, '\0');
    test.context_tree.file("raw.tar", raw);
  }
  CHECK(test.add("raw.tar", "/u") == Paths{"u", "u/" + name});
}

TEST_CASE("File capabilities of an archive are kept, other attributes are not") {
  NEEDS(::geteuid() == 0, "root");
  Adding test;
  const std::string capability("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  test.tar("t.tar").file("cap", "x", {.mode = 0755, .capability = capability});
  test.add("t.tar", "/");
  CHECK(test.root.inode("cap").xattrs == std::map<std::string, std::string>{{"security.capability", capability}});
}

TEST_CASE("A broken archive is an error") {
  Adding test;
  test.tar("t.tar").file("f", std::string(100000, 'x'));
  REQUIRE(::truncate(test.context_tree.host_path("t.tar").c_str(), 5000) == 0);
  CHECK(error_of([&] { test.add("t.tar", "/"); }).starts_with("broken archive"));
}

TEST_CASE("Every hit of a wildcard that is an archive is unpacked") {
  Adding test;
  test.tar("a.tar").file("a");
  test.tar("b.tar").file("b");
  test.context_tree.file("c.tar", "plain");
  CHECK(test.add("*.tar", "/d/") == Paths{"d", "d/a", "d/b", "d/c.tar"});
}

TEST_CASE("Names of entries are listed") {
  Adding test;
  test.tar("t.tar").directory("./d/").file("d/f").hard_link("d/g", "/d/f").link("l", "d");
  const auto names = archive_names(open_file(test.context_tree.host_path("t.tar"), O_RDONLY).get());
  REQUIRE(names.size() == 4);
  CHECK(names[0].path == "d");
  CHECK(names[2].hard_link == "d/f");
  CHECK(names[3].is_link);
}
