#include "cache/store.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cache;
using mbuild::testing::ScopedVariable;
using mbuild::testing::TemporaryDirectory;

namespace {

StoredImage image(const std::string& name, const Digest& digest) {
  return {.name = name,
          .media_type = "application/vnd.oci.image.index.v1+json",
          .digest = digest,
          .size = 12,
          .platforms = "linux/amd64,linux/arm64",
          .created = 99,
          .blobs = {digest, "sha256:layer"},
          .bytes = 1234};
}

}  // namespace

TEST_CASE("images are kept by name") {
  const TemporaryDirectory directory;
  {
    Store store(directory / "store", "map");
    store.add_image(image("b", "sha256:2"));
    store.add_image(image("a", "sha256:1"));
  }
  Store store(directory / "store", "map");
  const auto found = store.find_image("a");
  REQUIRE(found);
  CHECK(found->digest == "sha256:1");
  CHECK(found->size == 12);
  CHECK(found->bytes == 1234);
  CHECK(found->created == 99);
  CHECK(found->platforms == "linux/amd64,linux/arm64");
  CHECK(found->blobs == std::vector<Digest>{"sha256:1", "sha256:layer"});
  REQUIRE(store.images().size() == 2);
  CHECK(store.images()[0].name == "a");
  CHECK(!store.find_image("c"));
}

TEST_CASE("a name means the image that got it last, and its blobs") {
  const TemporaryDirectory directory;
  Store store(directory / "store", "map");
  store.add_image(image("a", "sha256:1"));
  store.add_image(image("a", "sha256:2"));
  CHECK(store.images().size() == 1);
  CHECK(store.find_image("a")->blobs == std::vector<Digest>{"sha256:2", "sha256:layer"});
  CHECK(store.remove_image("a"));
  CHECK(!store.remove_image("a"));
  CHECK(store.images().empty());
}

TEST_CASE("an image that a power cut may have damaged is forgotten") {
  const TemporaryDirectory directory;
  {
    const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "one");
    Store store(directory / "store", "map");
    store.add_image(image("kept", "sha256:1"));
    store.make_durable();
    store.add_image(image("lost", "sha256:2"));
  }
  const ScopedVariable boot("MBUILD_TEST_BOOT_ID", "two");
  Store store(directory / "store", "map");
  CHECK(store.find_image("kept"));
  CHECK(!store.find_image("lost"));
}
