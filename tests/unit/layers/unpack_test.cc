#include "layers/unpack.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <thread>

#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;
using Catch::Matchers::Contains;

namespace {

Inode device(FileType type, unsigned major, unsigned minor) {
  Inode inode;
  inode.type = type;
  inode.mode = 0666;
  inode.rdev_major = major;
  inode.rdev_minor = minor;
  return inode;
}

std::string refusal(const Tar& tar) {
  const Scratch layer;
  return error_of([&] { unpack(tar.end(), layer); });
}

const std::string k_capability("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);

}  // namespace

TEST_CASE("unpack restores content, modes, owners and times") {
  const Scratch layer;
  Inode inode;
  inode.mode = 04751;
  inode.uid = 12;
  inode.gid = 34;
  inode.mtime_sec = 1234567890;
  unpack(Tar().dir("bin", 01777).add("bin/su", inode, "hello").end(), layer);
  CHECK(content(layer, "bin/su") == "hello");
  const Inode found = look(layer, "bin/su");
  CHECK(found.mode == 04751);
  CHECK(found.uid == 12);
  CHECK(found.gid == 34);
  CHECK(found.mtime_sec == 1234567890);
  CHECK(look(layer, "bin").mode == 01777);
  CHECK(look(layer, "bin").mtime_sec == 2000);
}

TEST_CASE("unpack keeps capabilities and user attributes, though the owner changes") {
  NEEDS(::geteuid() == 0, "root");
  const Scratch layer;
  Inode inode;
  inode.mode = 0755;
  inode.uid = 7;
  inode.xattrs = {{"security.capability", k_capability}, {"user.note", "x"}};
  unpack(Tar().add("ping", inode, "p").end(), layer);
  CHECK(look(layer, "ping").xattrs == inode.xattrs);
}

TEST_CASE("unpack drops attributes that mean something to overlay or to the store") {
  const Scratch layer;
  Inode inode;
  inode.type = FileType::directory;
  inode.mode = 0755;
  inode.xattrs = {{"user.overlay.opaque", "y"}, {"trusted.overlay.opaque", "y"}, {"user.mbuild.node", "c 1 3"}};
  unpack(Tar().add("d", inode).end(), layer);
  CHECK_FALSE(look(layer, "d").opaque);
  CHECK(look(layer, "d").xattrs.empty());
}

TEST_CASE("unpack keeps device nodes as stand-ins") {
  const Scratch layer;
  unpack(Tar().add("null", device(FileType::character, 1, 3)).add("sda", device(FileType::block, 8, 0)).end(), layer);
  CHECK(look(layer, "null").type == FileType::character);
  CHECK(look(layer, "null").rdev_minor == 3);
  CHECK(look(layer, "sda").type == FileType::block);
  CHECK(look(layer, "sda").rdev_major == 8);
}

TEST_CASE("unpack makes whiteouts and opaque directories") {
  const Scratch layer;
  unpack(Tar().file(".wh.gone").dir("d").file("d/.wh..wh..opq").end(), layer);
  CHECK(look(layer, "gone").type == FileType::whiteout);
  CHECK(look(layer, "d").opaque);
}

TEST_CASE("a directory with a whiteout is marked as one to be searched for them") {
  const auto is_marked = [](const Scratch& layer, const std::string& name) {
    return ::lgetxattr((layer / name).c_str(), "user.overlay.origin", nullptr, 0) == 0;
  };
  const Scratch layer;
  unpack(Tar().file("implied/.wh.gone").dir("d").file("d/.wh.gone").dir("plain").file("plain/x").end(), layer);
  CHECK(is_marked(layer, "implied"));
  CHECK(is_marked(layer, "d"));
  CHECK_FALSE(is_marked(layer, "plain"));
  const Scratch anew;
  unpack(Tar().dir("d").file("d/.wh.gone").file("d", "a file").dir("d").file("d/.wh.gone").end(), anew);
  CHECK(is_marked(anew, "d"));
}

TEST_CASE("a whiteout does not remove what the same layer has, wherever it stands") {
  const Scratch layer;
  unpack(Tar().file("before", "1").file(".wh.before").file(".wh.after").file("after", "2").end(), layer);
  CHECK(content(layer, "before") == "1");
  CHECK(content(layer, "after") == "2");
}

TEST_CASE("a directory with a whiteout of its name becomes opaque") {
  const Scratch layer;
  const UnpackResult result = unpack(Tar()
                                         .dir("a")
                                         .file(".wh.a")
                                         .file(".wh.b")
                                         .dir("b")
                                         .file(".wh.c")
                                         .file("c/inside")
                                         .file("e/f")
                                         .file(".wh.e")
                                         .end(),
                                     layer);
  for (const char* name : {"a", "b", "c", "e"}) CHECK(look(layer, name).opaque);
  CHECK(result.implied == std::vector<std::string>{""});
}

TEST_CASE("AUFS metadata is passed over") {
  const Scratch layer;
  unpack(Tar().file(".wh..wh.aufs").dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2", "x").file("f").end(), layer);
  CHECK(there(layer, "f"));
  CHECK_FALSE(there(layer, ".wh..wh.plnk"));
  CHECK_FALSE(there(layer, ".wh.aufs"));
}

TEST_CASE("directories without an entry are implied") {
  const Scratch layer;
  const UnpackResult result = unpack(Tar().file("a/b/f").dir("a/b", 0700).file("c/d/f").dir("./").end(), layer);
  CHECK(result.implied == std::vector<std::string>{"a", "c", "c/d"});
  CHECK(look(layer, "a").mode == 0755);
  CHECK(look(layer, "a/b").mode == 0700);
}

TEST_CASE("the last entry of a name wins") {
  const Scratch layer;
  unpack(Tar()
             .file("f", "one")
             .file("f", "two")
             .dir("d")
             .file("d/inside")
             .file("d", "a file now")
             .symlink("l", "x")
             .dir("l")
             .file("l/y", "y")
             .end(),
         layer);
  CHECK(content(layer, "f") == "two");
  CHECK(content(layer, "d") == "a file now");
  CHECK(content(layer, "l/y") == "y");
}

TEST_CASE("hard links stay hard links") {
  const Scratch layer;
  unpack(Tar().file("a", "linked").hard("d/b", "a").hard("c", "/d/b").end(), layer);
  CHECK(look(layer, "a").inode == look(layer, "c").inode);
  CHECK(look(layer, "a").link_count == 3);
}

TEST_CASE("the header of a hard link counts, and costs no capability") {
  const Scratch layer;
  Inode inode;
  inode.mode = 0755;
  if (::geteuid() == 0) inode.xattrs = {{"security.capability", k_capability}};
  Inode link;
  link.mode = 0700;
  link.uid = 9;
  unpack(Tar().add("a", inode, "x").hard("b", "a", link).end(), layer);
  CHECK(look(layer, "a").mode == 0700);
  CHECK(look(layer, "a").uid == 9);
  CHECK(look(layer, "a").xattrs == inode.xattrs);
}

TEST_CASE("a hard link into a lower layer becomes a copy, one for all its names") {
  const Scratch base, middle, layer;
  unpack(Tar().dir("real").file("real/f", "lower", 0640).symlink("way", "real").end(), base);
  unpack(Tar().file("other").end(), middle);
  UnpackOptions options;
  options.lower_dirs = {middle.fd.get(), base.fd.get()};
  const UnpackResult result = unpack(Tar().hard("x", "way/f").hard("y", "real/f").end(), layer, options);
  CHECK(content(layer, "x") == "lower");
  CHECK(look(layer, "x").inode == look(layer, "y").inode);
  CHECK(result.links_into_lower);
}

TEST_CASE("a hard link does not find what a layer between has deleted") {
  const Scratch base, middle, layer;
  unpack(Tar().file("f", "lower").dir("d").file("d/g").end(), base);
  unpack(Tar().file(".wh.f").dir("d").file("d/.wh..wh..opq").end(), middle);
  UnpackOptions options;
  options.lower_dirs = {middle.fd.get(), base.fd.get()};
  CHECK_THAT(error_of([&] { unpack(Tar().hard("x", "f").end(), layer, options); }), Contains("not there"));
  CHECK_THAT(error_of([&] { unpack(Tar().hard("y", "d/g").end(), layer, options); }), Contains("not there"));
}

TEST_CASE("a link in a path is followed inside the layer") {
  const Scratch layer;
  unpack(Tar()
             .symlink("lib", "usr/lib")
             .file("lib/a", "a")
             .symlink("abs", "/usr/lib")
             .file("abs/b", "b")
             .symlink("up", "../../../..")
             .file("up/c", "c")
             .end(),
         layer);
  CHECK(content(layer, "usr/lib/a") == "a");
  CHECK(content(layer, "usr/lib/b") == "b");
  CHECK(content(layer, "c") == "c");
}

TEST_CASE("nothing is written outside the layer") {
  const Scratch outside, layer;
  put(outside, "victim", "safe");
  CHECK_THAT(error_of([&] { unpack(Tar().file("../escape", "bad").end(), layer); }), Contains("out of the layer"));
  unpack(Tar()
             .symlink("link", outside.path)
             .file("link/victim", "bad")
             .file(outside.path + "/victim", "bad")
             .hard("stolen", "link/victim")
             .symlink("file", outside / "victim")
             .file("file", "replaced")
             .file("link/.wh.victim")
             .end(),
         layer);
  CHECK(content(outside, "victim") == "safe");
  CHECK(content(layer, "file") == "replaced");
  CHECK(look(outside, "victim").link_count == 1);
}

TEST_CASE("entries that make no sense are refused with their name") {
  CHECK_THAT(refusal(Tar().add("bad", device(FileType::character, 0, 0))), Contains("bad") && Contains("0/0"));
  CHECK_THAT(refusal(Tar().file("f").file("f/below")), Contains("not a directory"));
  CHECK_THAT(refusal(Tar().symlink("a", "b").symlink("b", "a").file("a/x")), Contains("too many symbolic links"));
  CHECK_THAT(refusal(Tar().dir("d").hard("h", "d")), Contains("directory"));
  CHECK_THAT(refusal(Tar().hard("h", "missing")), Contains("not there"));
  CHECK_THAT(refusal(Tar().file(".wh.")), Contains("whiteout of nothing"));
  CHECK_THAT(refusal(Tar().file(".wh...")), Contains("whiteout of nothing"));
  CHECK_THAT(refusal(Tar().file("x/.wh.y/z")), Contains("below a whiteout"));
}

TEST_CASE("a wrong digest, size or diff id is an error that names both") {
  const Scratch layer;
  const std::string tar = Tar().file("f", "content").end();
  UnpackOptions options;
  options.expected_digest = sha256("other");
  CHECK_THAT(error_of([&] { unpack(tar, layer, options); }), Contains(sha256("other")) && Contains(sha256(tar)));
  options = {};
  options.expected_size = 3;
  CHECK_THAT(error_of([&] { unpack(tar, layer, options); }), Contains("descriptor says 3"));
  options = {};
  options.expected_diff_id = sha256("other");
  CHECK_THAT(error_of([&] { unpack(tar, layer, options); }), Contains("diff id"));
}

TEST_CASE("broken content that is not the expected content is reported as such") {
  const Scratch layer;
  const std::string good = gzip(Tar().file("f", pseudo_random(5000)).end());
  UnpackOptions options;
  options.expected_digest = sha256(good);
  std::string bad = good;
  bad[bad.size() / 2] ^= 0x55;
  CHECK_THAT(error_of([&] { unpack(bad, layer, options); }), Contains("digest is") && Contains("was expected"));
}

TEST_CASE("gzip of several members, with padding, and zstd are taken by their content") {
  const std::string tar = Tar().file("f", pseudo_random(3000000)).end();
  for (const std::size_t cut : {std::size_t{1}, std::size_t{700}, tar.size() / 2}) {
    const Scratch layer;
    const std::string blob = gzip(tar.substr(0, cut)) + gzip(tar.substr(cut)) + std::string(100, '\0');
    UnpackOptions options;
    options.expected_digest = sha256(blob);
    options.expected_diff_id = sha256(tar);
    const UnpackResult result = unpack(blob, layer, options);
    CHECK(result.blob_size == blob.size());
    CHECK(result.tar_size == tar.size());
    CHECK(content(layer, "f") == pseudo_random(3000000));
  }
}

TEST_CASE("many tiny gzip members through a pipe") {
  const std::string tar = Tar().file("f", "text").end();
  std::string blob;
  for (std::size_t i = 0; i < tar.size(); i += 7) blob += gzip(tar.substr(i, 7));
  const Scratch layer;
  Pipe pipe = make_pipe();
  std::jthread writer([&] {
    for (std::size_t i = 0; i < blob.size(); i += 13) write_all(pipe.write.get(), std::string_view(blob).substr(i, 13));
    pipe.write.reset();
  });
  unpack_layer(pipe.read.get(), "", layer.fd.get(), {.expected_diff_id = sha256(tar), .owners = owner_mode()});
  CHECK(content(layer, "f") == "text");
}

TEST_CASE("a blob that ends too early is an error at every length") {
  const std::string tar = Tar().file("f", std::string(600, 'x')).file("g").end();
  const std::string blob = gzip(tar);
  for (std::size_t size = 2; size < blob.size(); size += 3) {
    const Scratch layer;
    CHECK(error_of([&] { unpack(blob.substr(0, size), layer); }) != "");
  }
  const Scratch layer;
  CHECK_THAT(error_of([&] { unpack(tar.substr(0, 700), layer); }), Contains("too early"));
}

TEST_CASE("bytes after the archive belong to the diff id") {
  const Scratch layer;
  const std::string tar = Tar().file("f", "x").end() + std::string(9000, '\0') + "anything";
  CHECK(unpack(tar, layer).diff_id == sha256(tar));
}

TEST_CASE("an empty blob is an empty layer") {
  const Scratch layer;
  CHECK(unpack("", layer).entries == 0);
}

TEST_CASE("something that is no layer is refused") {
  const Scratch layer;
  const Fd fd = memory_file("{}");
  CHECK_THAT(error_of([&] { unpack_layer(fd.get(), "application/vnd.in-toto+json", layer.fd.get()); }),
             Contains("no media type of a file system layer"));
  CHECK_THAT(error_of([&] { unpack(std::string(2048, 'x'), layer); }), Contains("no valid tar"));
}

TEST_CASE("a stop ends an unpack that waits for its input") {
  const Scratch layer;
  const Pipe pipe = make_pipe();
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stop.request_stop();
  });
  CHECK_THROWS_AS(unpack_layer(pipe.read.get(), "", layer.fd.get(), {.stop = stop.get_token()}), Cancelled);
}

TEST_CASE("a tree too deep for a path or for descriptors is unpacked and removed") {
#ifdef __SANITIZE_ADDRESS__
  constexpr std::size_t k_depth = 500;  // its stack frames are many times as large
#else
  constexpr std::size_t k_depth = 3000;
#endif
  const Scratch layer;
  std::string path;
  for (std::size_t i = 0; i < k_depth; ++i) path += "d/";
  const UnpackResult result = unpack(Tar().file(path + "f", "deep").end(), layer);
  CHECK(result.implied.size() == k_depth + 1);
  CHECK_THAT(tar_of(layer, result.implied), Contains("deep"));
}
