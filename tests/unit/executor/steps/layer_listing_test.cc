#include "executor/steps/layer_listing.h"

#include "tests/catch.h"

using namespace mbuild::executor;

TEST_CASE("What two layers say of a path is compared, and what one of them lacks") {
  const LayerListing a = {{"same", "x"}, {"other", "x"}, {"gone", "x"}};
  const LayerListing b = {{"same", "x"}, {"other", "y"}, {"new", "y"}};
  const auto found = differences(a, b);
  CHECK(found.size() == 3);
  CHECK(found.at("other") == "x; y");
  CHECK(found.at("gone") == "x; nothing");
  CHECK(found.at("new") == "nothing; y");
  CHECK(differences(a, a).empty());
}
