#include "executor/outputs/early_archive.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <map>

#include "base/error.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::TemporaryDirectory;

namespace {

// Two layers, and the archive that has them in this order.
struct Layers {
  std::map<Digest, std::string> bytes;
  image::Descriptor first = add(std::string(3'000'000, 'a')), second = add("b");

  image::Descriptor add(const std::string& content) {
    const auto blob = image::describe(image::media_type::k_oci_layer, content);
    bytes[blob.digest] = content;
    return blob;
  }
  Fd open(const image::Descriptor& blob) const {
    Fd fd = memory_file(bytes.at(blob.digest));
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
  }
  std::string archive() const {
    const Fd fd = memory_file("");
    image::LayoutTar tar(fd.get());
    for (const auto& blob : {first, second}) tar.add({blob}, [&](const Digest&) { return open(blob); });
    return content_of(fd);
  }
  static std::string content_of(const Fd& fd) {
    ::lseek(fd.get(), 0, SEEK_SET);
    return read_all(fd.get());
  }
};

}  // namespace

TEST_CASE("an archive has its layers in order, whichever is made first and whether it is followed or not") {
  const Layers layers;
  const TemporaryDirectory directory;
  const bool followed = GENERATE(true, false);
  const Fd file = memory_file("");
  EarlyArchive archive(file.get(), {"1", "2"}, [&](const auto& blob) { return layers.open(blob); });
  archive.made("2", layers.second);
  if (followed) {
    const auto& content = layers.bytes.at(layers.first.digest);
    const Fd growing = open_file(directory / "blob", O_WRONLY | O_CREAT);
    archive.begun("1", directory / "blob");
    write_all(growing.get(), content.substr(0, 1'500'000));
    // The name is taken away, as when a blob gets its final one.
    REQUIRE(::unlink((directory / "blob").c_str()) == 0);
    write_all(growing.get(), content.substr(1'500'000));
  }
  archive.made("1", layers.first);
  archive.finish();
  CHECK(Layers::content_of(file) == layers.archive());
}

TEST_CASE("an archive that is given up ends, whatever it waits for") {
  const Layers layers;
  const TemporaryDirectory directory;
  const int what = GENERATE(0, 1, 2);
  const Fd file = memory_file("");
  const Fd growing = open_file(directory / "blob", O_WRONLY | O_CREAT);
  {
    EarlyArchive archive(file.get(), {"1", "2"}, [&](const auto& blob) { return layers.open(blob); });
    if (what == 1) archive.begun("1", directory / "blob");
    if (what == 2) archive.made("1", layers.first);
  }
  SUCCEED();
}

TEST_CASE("what fails in an archive is told by the next layer that is made, or at the end") {
  const Layers layers;
  const Fd file = memory_file("");
  std::atomic<bool> tried = false;
  const auto fail = [&](const image::Descriptor&) -> Fd {
    tried = true;
    throw Error(ExitClass::store, "the disk is full");
  };
  EarlyArchive archive(file.get(), {"1", "2"}, fail);
  archive.made("1", layers.first);
  SECTION("by the next layer") {
    const auto next = [&] {
      for (;;) archive.made("2", layers.second);
    };
    CHECK_THROWS_WITH(next(), Catch::Contains("the disk is full"));
    CHECK(tried);
  }
  SECTION("at the end") { CHECK_THROWS_WITH(archive.finish(), Catch::Contains("the disk is full")); }
}
