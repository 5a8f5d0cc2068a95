#include "layers/serialise.h"

#include <fcntl.h>
#include <zstd.h>

#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;
using Catch::Matchers::Contains;

namespace {

struct Written {
  Serialisation facts;
  std::string bytes;
};

Written serialise(const Scratch& layer, const SerialiseOptions& options) {
  LayerSource source;
  source.directory = layer.fd.get();
  source.owners = owner_mode();
  const Fd out = memory_file("");
  Written written{serialise_layer(source, out.get(), options), {}};
  ::lseek(out.get(), 0, SEEK_SET);
  written.bytes = read_all(out.get());
  return written;
}

void fill(const Scratch& layer) {
  put(layer, "random", pseudo_random(2500000));
  std::string text;
  for (long i = 0; i < 300000; ++i) text += "line " + std::to_string(i % 7919 * i % 1000) + "\n";
  put(layer, "text", text);
  put(layer, "zeros", std::string(3000000, '\0'));
}

std::string unzstd(const std::string& bytes) {
  const std::unique_ptr<ZSTD_DCtx, decltype([](ZSTD_DCtx* c) { ZSTD_freeDCtx(c); })> context(ZSTD_createDCtx());
  std::string out(20000000, '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (in.pos < in.size) REQUIRE_FALSE(ZSTD_isError(ZSTD_decompressStream(context.get(), &to, &in)));
  out.resize(to.pos);
  return out;
}

}  // namespace

TEST_CASE("gzip is one member, of the same bytes for any number of threads") {
  const Scratch layer;
  fill(layer);
  const std::string tar = tar_of(layer);
  const Written one = serialise(layer, {.threads = 1});
  CHECK(gunzip_one_member(one.bytes) == tar);
  CHECK(one.facts.diff_id == sha256(tar));
  CHECK(one.facts.digest == sha256(one.bytes));
  CHECK(one.facts.size == one.bytes.size());
  CHECK(one.facts.uncompressed_size == tar.size());
  for (const unsigned threads : {2u, 5u}) CHECK(serialise(layer, {.threads = threads}).bytes == one.bytes);
}

TEST_CASE("gzip at every level is one member") {
  const Scratch layer;
  fill(layer);
  const std::string tar = tar_of(layer);
  std::size_t last = tar.size() * 2;
  for (int level = 0; level <= 9; ++level) {
    const Written written = serialise(layer, {.level = level, .threads = 2});
    CHECK(gunzip_one_member(written.bytes) == tar);
    if (level == 1 || level == 6 || level == 9) {
      CHECK(written.bytes.size() <= last);
      last = written.bytes.size();
    }
  }
}

TEST_CASE("joined blocks hold for every alignment of their ends") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Scratch layer;
    // Text of varying entropy, so that the deflate data ends at all bit positions.
    std::string text = pseudo_random(1100000 + seed, seed);
    for (std::size_t i = 0; i < text.size(); ++i)
      text[i] = static_cast<char>('a' + (text[i] & (i % 97 < seed ? 1 : 0)));
    put(layer, "f", text);
    CHECK(gunzip_one_member(serialise(layer, {.level = 1}).bytes) == tar_of(layer));
  }
}

TEST_CASE("an empty layer is a valid blob in all compressions") {
  const Scratch layer;
  const std::string tar(1024, '\0');
  CHECK(gunzip_one_member(serialise(layer, {}).bytes) == tar);
  CHECK(gunzip_one_member(serialise(layer, {.level = 9}).bytes) == tar);
  CHECK(unzstd(serialise(layer, {.compression = Compression::zstd}).bytes) == tar);
  CHECK(serialise(layer, {.compression = Compression::none}).bytes == tar);
}

TEST_CASE("zstd and uncompressed") {
  const Scratch layer;
  fill(layer);
  const std::string tar = tar_of(layer);
  const Written zstd = serialise(layer, {.compression = Compression::zstd, .threads = 3});
  CHECK(unzstd(zstd.bytes) == tar);
  CHECK(serialise(layer, {.compression = Compression::zstd, .threads = 1}).bytes == zstd.bytes);
  const Written plain = serialise(layer, {.compression = Compression::none});
  CHECK(plain.bytes == tar);
  CHECK(plain.facts.digest == plain.facts.diff_id);
}

TEST_CASE("what was serialised unpacks again") {
  const Scratch layer;
  fill(layer);
  for (const Compression compression : {Compression::none, Compression::gzip, Compression::zstd}) {
    const Written written = serialise(layer, {.compression = compression});
    const Scratch again;
    unpack(written.bytes, again, {.expected_digest = written.facts.digest, .expected_diff_id = written.facts.diff_id});
    CHECK(content(again, "text") == content(layer, "text"));
  }
}

TEST_CASE("a full disk ends the serialisation, whatever the threads do") {
  const Scratch layer;
  put(layer, "big", pseudo_random(30000000));
  LayerSource source;
  source.directory = layer.fd.get();
  const Fd full = open_file("/dev/full", O_WRONLY);
  for (const Compression compression : {Compression::none, Compression::gzip, Compression::zstd}) {
    CHECK_THAT(error_of([&] { serialise_layer(source, full.get(), {.compression = compression}); }),
               Contains("No space left"));
  }
}

TEST_CASE("a stop in the middle ends all threads") {
  struct Stopper : EntryVisitor {
    void begin_entry(const std::string&, const Inode&) override {}
    void data(std::string_view bytes) override {
      if ((seen += bytes.size()) > 10000000) stop.request_stop();
    }
    void end_entry() override {}
    std::size_t seen = 0;
    std::stop_source stop;
  } stopper;
  const Scratch layer;
  put(layer, "big", pseudo_random(30000000));
  LayerSource source;
  source.directory = layer.fd.get();
  const Fd out = memory_file("");
  CHECK_THROWS_AS(serialise_layer(source, out.get(), {.visitors = {&stopper}, .stop = stopper.stop.get_token()}),
                  Cancelled);
}

TEST_CASE("levels that do not exist are refused") {
  const Scratch layer;
  CHECK_THAT(error_of([&] { serialise(layer, {.level = 10}); }), Contains("0 to 9"));
  CHECK_THAT(error_of([&] { serialise(layer, {.compression = Compression::zstd, .level = 23}); }), Contains("0 to 22"));
}

TEST_CASE("zstd finds what is repeated megabytes away, for decoders of the least window") {
  const Scratch layer;
  const auto once = pseudo_random(2500000);
  put(layer, "a", once);
  put(layer, "b", pseudo_random(4000000).substr(2500000));
  put(layer, "c", once);
  const Written written = serialise(layer, {.compression = Compression::zstd, .threads = 2});
  CHECK(written.facts.size < 4'500'000);
  const std::unique_ptr<ZSTD_DCtx, decltype([](ZSTD_DCtx* c) { ZSTD_freeDCtx(c); })> context(ZSTD_createDCtx());
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23);
  std::string out(20000000, '\0');
  ZSTD_inBuffer in{written.bytes.data(), written.bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (in.pos < in.size) REQUIRE_FALSE(ZSTD_isError(ZSTD_decompressStream(context.get(), &to, &in)));
  CHECK(out.substr(0, to.pos) == tar_of(layer));
}
