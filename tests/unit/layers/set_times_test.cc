#include "layers/set_times.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::image;
using mbuild::testing::TemporaryDirectory;

namespace {

// A layer of one file in a directory.
struct Layer {
  TemporaryDirectory directory;
  Fd root;

  explicit Layer(std::int64_t seconds = -1) {
    make_directories(directory / "d", 0755);
    write_file_atomically(directory / "d/f", "x");
    root = open_file(directory.path(), O_RDONLY | O_DIRECTORY);
    if (seconds < 0) return;
    const timespec times[2] = {{0, UTIME_OMIT}, {seconds, 0}};
    REQUIRE(::utimensat(root.get(), "d/f", times, 0) == 0);
  }
  LayerSource source() const { return {.directory = root.get(), .implied = {}, .clamp_mtime = {}}; }
};

bool same(const Layer& one, const Layer& other) { return have_same_set_times(one.source(), other.source()); }

}  // namespace

TEST_CASE("Times that were set count, and those that came by themselves do not") {
  CHECK(same(Layer(), Layer()));
  CHECK(same(Layer(1000), Layer(1000)));
  CHECK_FALSE(same(Layer(1000), Layer(2000)));
  CHECK_FALSE(same(Layer(), Layer(1000)));
  CHECK_FALSE(same(Layer(4000000000), Layer()));
  Layer natural, old(1000);
  auto hidden = old.source();
  hidden.implied = {"d", "d/f"};
  CHECK_FALSE(have_same_set_times(natural.source(), hidden));  // not the same entries
}
