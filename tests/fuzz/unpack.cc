// Any bytes as a layer: nothing may be written outside the directory, nothing may crash, and what was unpacked must be
// writable as a tar again.
#include "layers/unpack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "layers/layer_digest.h"
#include "layers/layer_tar.h"
#include "layers/remove_tree.h"

using namespace mbuild;
using namespace mbuild::image;

namespace {

constexpr std::uint64_t k_max_holes = 1 << 24;

// A few bytes can describe a file of exabytes; reading that back is no use here.
struct TooLarge {};

void write_back(int layer, const UnpackResult& result) {
  LayerSource source;
  source.directory = layer;
  source.implied = result.implied;
  source.owners = OwnerMode::attributes;
  std::uint64_t written = 0;
  write_layer_tar(source, [&](std::string_view bytes) {
    if ((written += bytes.size()) > k_max_holes) throw TooLarge();
  });
  summarise_layer(source, 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string base = "/dev/shm/mbuild-fuzz-XXXXXX";
  if (!::mkdtemp(base.data())) return 0;
  make_directories(base + "/layer");
  {
    const Fd layer = open_file(base + "/layer", O_RDONLY | O_DIRECTORY);
    const Fd blob = memory_file(std::string_view(reinterpret_cast<const char*>(data), size));
    try {
      write_back(layer.get(), unpack_layer(blob.get(), "", layer.get(), {.owners = OwnerMode::attributes}));
    } catch (const Error&) {
    } catch (const TooLarge&) {
    }
  }
  remove_tree(AT_FDCWD, base + "/layer");
  if (::rmdir(base.c_str()) != 0) ::abort();  // something else was written there
  return 0;
}
