#include "layers/layer_digest.h"

#include <sys/stat.h>

#include <functional>

#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;

namespace {

LayerSummary summary(const Scratch& layer, std::vector<std::string> implied = {}) {
  LayerSource source;
  source.directory = layer.fd.get();
  source.implied = std::move(implied);
  source.owners = owner_mode();
  return summarise_layer(source);
}

Digest digest_of(const Tar& tar) {
  const Scratch layer;
  const UnpackResult result = unpack(tar.end(), layer);
  return summary(layer, result.implied).result_digest;
}

Tar with(const std::function<void(Inode&)>& change) {
  Inode inode;
  inode.mode = 0644;
  change(inode);
  return Tar().add("f", inode, inode.type == FileType::regular ? "text" : "");
}

}  // namespace

TEST_CASE("the result digest tells every attribute but time") {
  const Digest base = digest_of(with([](Inode&) {}));
  CHECK(digest_of(with([](Inode& i) { i.mtime_sec = 99; })) == base);
  CHECK(digest_of(with([](Inode& i) { i.mode = 0600; })) != base);
  CHECK(digest_of(with([](Inode& i) { i.uid = 1; })) != base);
  CHECK(digest_of(with([](Inode& i) { i.gid = 1; })) != base);
  CHECK(digest_of(with([](Inode& i) { i.xattrs["user.a"] = "b"; })) != base);
  CHECK(digest_of(with([](Inode& i) { i.type = FileType::directory, i.mode = 0755; })) != base);
  CHECK(digest_of(Tar().file("g", "text")) != base);
  CHECK(digest_of(Tar().file("f", "Text")) != base);
  CHECK(digest_of(Tar().file(".wh.f")) != base);
  CHECK(digest_of(Tar().symlink("f", "a")) != digest_of(Tar().symlink("f", "b")));
  CHECK(digest_of(Tar().dir("d")) != digest_of(Tar().dir("d").file("d/.wh..wh..opq")));
  CHECK(digest_of(Tar().file("a", "x").file("b", "x")) != digest_of(Tar().file("a", "x").hard("b", "a")));
  CHECK(digest_of(with([](Inode& i) { i.type = FileType::character, i.rdev_minor = 1; })) !=
        digest_of(with([](Inode& i) { i.type = FileType::character, i.rdev_minor = 2; })));
}

TEST_CASE("implied directories are not in the result digest") {
  const Scratch one, two;
  const UnpackResult result = unpack(Tar().file("d/f", "x").end(), one);
  unpack(Tar().file("d/f", "x").end(), two);
  ::chmod((two / "d").c_str(), 0700);
  CHECK(summary(one, result.implied).result_digest == summary(two, result.implied).result_digest);
  CHECK(summary(one).result_digest != summary(two).result_digest);
}

TEST_CASE("a summary counts") {
  const Scratch layer;
  const UnpackResult result =
      unpack(Tar().file("d/a", "12345").hard("d/b", "d/a").symlink("l", "t").file(".wh.w").end(), layer);
  const LayerSummary found = summary(layer, result.implied);
  CHECK(found.bytes == 5);
  CHECK(found.entries == 4);
  CHECK(found.newest_mtime == 1000);
}

TEST_CASE("an empty layer has a digest of its own") {
  const Scratch layer;
  CHECK(summary(layer).result_digest == empty_layer_digest());
  CHECK(digest_of(Tar().file("f")) != empty_layer_digest());
}

TEST_CASE("known contents are not read, and threads make no difference") {
  const Scratch layer;
  for (int i = 0; i < 300; ++i) put(layer, "f" + std::to_string(i), pseudo_random(1000, static_cast<unsigned>(i)));
  LayerSource source;
  source.directory = layer.fd.get();
  const Digest one = summarise_layer(source, 1).result_digest;
  CHECK(summarise_layer(source, 8).result_digest == one);
  const Inode inode = read_inode(layer.fd.get(), "f7");
  const Digest content = sha256(pseudo_random(1000, 7));
  CHECK(summarise_layer(source, 2, {{"f7", {content, inode}}}).result_digest == one);
  CHECK(summarise_layer(source, 2, {{"f7", {sha256("x"), inode}}}).result_digest != one);
  REQUIRE(::fchmodat(layer.fd.get(), "f7", 0, 0) == 0);
  CHECK(summarise_layer(source, 2, {{"f7", {content, inode}}}).result_digest == one);
  CHECK(summarise_layer(source, 2).result_digest != one);
}
