#include "executor/steps/snapshot.h"

#include "layers/layer_digest.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

std::shared_ptr<const SnapshotLayer> layer(const Digest& result, const Digest& cause = {},
                                           const std::string& id = "i") {
  SnapshotLayer made;
  made.id = id;
  made.result_digest = result;
  made.cause = cause;
  return std::make_shared<const SnapshotLayer>(std::move(made));
}

Digest digest_of(LayerList layers) { return make_snapshot(std::move(layers)).digest; }

}  // namespace

TEST_CASE("A snapshot is what is in its layers, whatever their ids, ages and makers") {
  SnapshotLayer other{
      .id = "other", .result_digest = "sha256:a", .cause = "", .pulled = true, .created = 5, .made_by = 3};
  CHECK(digest_of({layer("sha256:a")}) == digest_of({std::make_shared<const SnapshotLayer>(other)}));
  CHECK(digest_of({layer("sha256:a")}) != digest_of({layer("sha256:b")}));
}

TEST_CASE("The order of a snapshot's layers matters") {
  CHECK(digest_of({layer("sha256:a"), layer("sha256:b")}) != digest_of({layer("sha256:b"), layer("sha256:a")}));
}

TEST_CASE("A layer that changed nothing leaves the digest as it was, and stays in the list") {
  const auto empty = layer(image::empty_layer_digest());
  CHECK(digest_of({layer("sha256:a"), empty}) == digest_of({layer("sha256:a")}));
  CHECK(digest_of({empty}) == digest_of({}));
  CHECK(make_snapshot({layer("sha256:a"), empty}).layers.size() == 2);
}

TEST_CASE("A RUN with another text is another snapshot although its result is the same") {
  CHECK(digest_of({layer("sha256:a", "sha256:one")}) != digest_of({layer("sha256:a", "sha256:two")}));
  CHECK(digest_of({layer("sha256:a", "sha256:one")}) != digest_of({layer("sha256:a")}));
}

TEST_CASE("A RUN that changed nothing still counts by its text") {
  const auto empty = image::empty_layer_digest();
  CHECK(digest_of({layer(empty, "sha256:one")}) != digest_of({}));
  CHECK(digest_of({layer(empty, "sha256:one")}) != digest_of({layer(empty, "sha256:two")}));
}

TEST_CASE("A snapshot without layers has a digest") { CHECK(is_sha256_digest(digest_of({}))); }
