#include "layers/layer_tar.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers/layer_digest.h"
#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;

namespace {

Inode special(FileType type, unsigned major = 0, unsigned minor = 0) {
  Inode inode;
  inode.type = type;
  inode.mode = 0640;
  inode.rdev_major = major;
  inode.rdev_minor = minor;
  inode.mtime_sec = 77;
  return inode;
}

// One of everything.
std::string everything() {
  Tar tar;
  Inode owned;
  owned.mode = 06755;
  owned.uid = 70000;
  owned.gid = 3000000;
  owned.mtime_sec = 4000000000;
  owned.xattrs = {{"user.empty", ""}, {"user.bytes", std::string("\0\n=\xff", 4)}};
  if (::geteuid() == 0) {
    owned.xattrs["security.capability"] = std::string("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  }
  tar.file(".wh.gone").dir("a", 01777).file("a/.wh..wh..opq").file("a/.wh.x").add("a/owned", owned, "owned");
  tar.file("a/zero").file("a/large", pseudo_random(700000)).symlink("a/link", "../b/" + std::string(150, 't'));
  tar.add("a/pipe", special(FileType::fifo)).add("a/null", special(FileType::character, 1, 3));
  tar.add("a/disk", special(FileType::block, 259, 1048575)).dir("b").file("b/h1", "hard").hard("b/h2", "b/h1");
  std::string deep = "c";
  for (int i = 0; i < 12; ++i) deep += "/" + std::string(60, static_cast<char>('a' + i));
  tar.file(deep + "/name", "deep").file("c/\xff\xfe bytes", "b").file("c/e\xcc\x81", "decomposed");
  tar.file("c/" + std::string(255, 'n'), "long").file("implied/only/here");
  return tar.end();
}

LayerSource source_of(const Scratch& layer, const UnpackResult& result) {
  LayerSource source;
  source.directory = layer.fd.get();
  source.implied = result.implied;
  source.owners = owner_mode();
  return source;
}

}  // namespace

TEST_CASE("unpack, tar, unpack, tar gives the same bytes and the same result digest") {
  const Scratch first, second;
  const UnpackResult one = unpack(everything(), first);
  const std::string tar = tar_of(first, one.implied);
  const UnpackResult two = unpack(tar, second);
  CHECK(one.implied == two.implied);
  CHECK(tar_of(second, two.implied) == tar);
  CHECK(summarise_layer(source_of(first, one)).result_digest == summarise_layer(source_of(second, two)).result_digest);
  CHECK(look(second, "a/disk").rdev_minor == 1048575);
  CHECK(look(second, "b/h1").inode == look(second, "b/h2").inode);
  CHECK(look(second, "a").opaque);
  CHECK(look(second, "a/x").type == FileType::whiteout);
  CHECK(look(second, "a/owned").xattrs == look(first, "a/owned").xattrs);
  CHECK(look(second, "a/owned").gid == 3000000);
  CHECK(look(second, "a/owned").mode == 06755);
  CHECK(look(second, "a/owned").mtime_sec == 4000000000);
}

TEST_CASE("owners are kept as attributes where they can't be real") {
  const Scratch layer;
  Inode inode;
  inode.mode = 0600;
  inode.uid = 1;
  inode.gid = 2;
  const Fd fd = memory_file(Tar().add("f", inode, "x").dir("d").end());
  unpack_layer(fd.get(), "", layer.fd.get(), {.owners = OwnerMode::attributes});
  CHECK(read_inode(layer.fd.get(), "f", OwnerMode::attributes).uid == 1);
  CHECK(read_inode(layer.fd.get(), "f", OwnerMode::attributes).gid == 2);
  CHECK(read_inode(layer.fd.get(), "f", OwnerMode::attributes).xattrs.empty());
  CHECK(read_inode(layer.fd.get(), "d", OwnerMode::attributes).uid == 0);
}

TEST_CASE("implied directories are no entries, their children are") {
  const Scratch layer;
  const UnpackResult result = unpack(Tar().file("x/y/z", "z").end(), layer);
  const Scratch again;
  const UnpackResult second = unpack(tar_of(layer, result.implied), again);
  CHECK(second.entries == 1);
  CHECK(second.implied == std::vector<std::string>{"", "x", "x/y"});
}

TEST_CASE("whiteouts come before their siblings and have no time") {
  const Scratch layer;
  unpack(Tar().file("a").file(".wh.z").file("..x").end(), layer);
  const std::string tar = tar_of(layer);
  CHECK(tar.starts_with(".wh.z"));
  CHECK(tar.substr(512).starts_with("..x"));
  CHECK(tar.substr(1024).starts_with("a"));
  CHECK(tar.substr(136, 11) == "00000000000");
}

TEST_CASE("times are cut to seconds and clamped on request") {
  const Scratch layer;
  put(layer, "f", "");
  const struct timespec times[2] = {{5000, 999999999}, {5000, 999999999}};
  ::utimensat(layer.fd.get(), "f", times, 0);
  const Scratch plain, clamped;
  unpack(tar_of(layer), plain);
  CHECK(look(plain, "f").mtime_sec == 5000);
  CHECK(look(plain, "f").mtime_nsec == 0);
  LayerSource source;
  source.directory = layer.fd.get();
  source.clamp_mtime = 42;
  source.owners = owner_mode();
  std::string tar;
  write_layer_tar(source, [&](std::string_view bytes) { tar += bytes; });
  unpack(tar, clamped);
  CHECK(look(clamped, "f").mtime_sec == 42);
}

TEST_CASE("one escape of overlay's attributes is taken off") {
  const Scratch layer;
  put(layer, "f", "");
  ::setxattr((layer / "f").c_str(), "user.overlay.overlay.redirect", "v", 1, 0);
  ::setxattr((layer / "f").c_str(), "user.overlay.origin", "v", 1, 0);
  const Inode inode = look(layer, "f");
  CHECK(inode.xattrs == std::map<std::string, std::string>{{"user.overlay.redirect", "v"}});
  put(layer, "g", "");
  apply_inode(layer.fd.get(), "g", inode, owner_mode());
  CHECK(::getxattr((layer / "g").c_str(), "user.overlay.overlay.redirect", nullptr, 0) == 1);
}

TEST_CASE("sockets are left out") {
  const Scratch layer;
  Inode inode;
  inode.type = FileType::socket;
  make_special(layer.fd.get(), "s", inode);
  CHECK(tar_of(layer) == std::string(1024, '\0'));
}

TEST_CASE("visitors see each entry and its content once") {
  struct Recorder : EntryVisitor {
    void begin_entry(const std::string& path, const Inode&) override { log += path + "("; }
    void data(std::string_view bytes) override { log += bytes; }
    void end_entry() override { log += ")"; }
    std::string log;
  } recorder;
  const Scratch layer;
  unpack(Tar().dir("d").file("d/a", "text").hard("d/b", "d/a").symlink("l", "t").end(), layer);
  LayerSource source;
  source.directory = layer.fd.get();
  EntryVisitor* visitors[] = {&recorder};
  write_layer_tar(source, [](std::string_view) {}, visitors);
  CHECK(recorder.log == "d()d/a(text)d/b()l()");
}

TEST_CASE("a stop ends the walk") {
  const Scratch layer;
  put(layer, "f", "x");
  std::stop_source stop;
  stop.request_stop();
  LayerSource source;
  source.directory = layer.fd.get();
  CHECK_THROWS_AS(write_layer_tar(source, [](std::string_view) {}, {}, stop.get_token()), Cancelled);
}
