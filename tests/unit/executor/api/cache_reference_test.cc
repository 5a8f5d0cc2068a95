#include "executor/api/cache_reference.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

CacheReference written(const AttributeList& attributes) { return parse_cache(attributes, CacheUse::write); }
std::string failure(const AttributeList& attributes) {
  return testing::error_of([&] { written(attributes); });
}

}  // namespace

TEST_CASE("a cache that is written says how") {
  const CacheReference expected{.type = "local",
                                .ref = {},
                                .source = {},
                                .destination = "D",
                                .tag = "t",
                                .digest = {},
                                .max = true,
                                .compression = image::Compression::zstd,
                                .level = 22,
                                .ignore_error = true,
                                .reset = true};
  CHECK(written({{"type", "local"},
                 {" Dest", "D"},
                 {"tag", "t"},
                 {"mode", "max"},
                 {"compression", "zstd"},
                 {"compression-level", "22"},
                 {"ignore-error", "1"},
                 {"reset", "true"}}) == expected);
}

TEST_CASE("by default a cache has the layers of images, compressed by gzip") {
  CHECK(written({{"type", "registry"}, {"ref", "r"}}) ==
        parse_cache({{"type", "registry"}, {"ref", "r"}}, CacheUse::read));
  CHECK(!written({{"type", "inline"}}).max);
  CHECK(written({{"type", "inline"}}).compression == image::Compression::gzip);
}

TEST_CASE("a cache of no known type, or with a value that means nothing, is a usage error") {
  CHECK(failure({{"dest", "x"}, {"mode", "max"}}) == "2 type required form> \"dest=x,mode=max\"");
  CHECK(failure({{"type", "locale"}}) == "2 unknown cache type \"locale\" (did you mean local?)");
  CHECK(failure({{"type", "inline"}, {"mode", "most"}}) == "2 invalid cache mode \"most\"");
  CHECK(failure({{"type", "inline"}, {"compression", "lzma"}}) == "2 unsupported layer compression type lzma");
  CHECK(failure({{"type", "inline"}, {"compression-level", "23"}}) == "2 invalid compression-level 23");
  CHECK(failure({{"type", "inline"}, {"reset", "maybe"}}) == "2 non-bool value maybe specified for reset");
}

TEST_CASE("what is asked of writing is not looked at for a cache that is read") {
  CHECK(parse_cache({{"type", "local"}, {"src", "s"}, {"mode", "most"}}, CacheUse::read).source == "s");
}

TEST_CASE("messages call a cache by its reference, its directory, or its type") {
  CHECK(to_string(written({{"type", "registry"}, {"ref", "r"}})) == "r");
  CHECK(to_string(written({{"type", "local"}, {"dest", "d"}})) == "d");
  CHECK(to_string(written({{"type", "local"}, {"dest", "d"}, {"src", "s"}})) == "s");
  CHECK(to_string(written({{"type", "gha"}})) == "gha");
}
