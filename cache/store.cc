#include "cache/store.h"

#include <fmt/format.h>

#include <charconv>

#include "base/fd.h"
#include "base/host_variable.h"
#include "base/strings.h"
#include "cache/store_directory.h"

namespace mbuild::cache {
namespace {

std::string read_boot_id() {
  if (auto given = host_variable("MBUILD_TEST_BOOT_ID")) return std::move(*given);
  return std::string(trim(read_file("/proc/sys/kernel/random/boot_id")));
}

// The byte that stands for a key in a lock file. Two keys must not share one: a step that waits for another, which may
// run until the first one fails, waits for ever.
std::int64_t byte_of(const Digest& key) {
  std::int64_t byte = 0;
  const auto digits = digest_hex(key).substr(0, 15);
  std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  return byte;
}

}  // namespace

Store::Store(const std::string& root, const std::string& map, Purpose purpose)
    : root_(root), fs_(root + "/fs/" + map), boot_id_(read_boot_id()) {
  prepare_directories();
  open_index(purpose);
}

void Store::prepare_directories() {
  take_store_directory(root_);
  for (const char* directory : {"/blobs", "/blobs/sha256", "/locks"}) make_store_directory(root_ + directory, 0700);
  make_store_directory(root_ + "/fs", 0711);
  for (const char* directory : {"", "/layers", "/mounts", "/contents", "/work"})
    make_store_directory(fs_ + directory, 0711);
}

std::string Store::blob_path(std::string_view digest) const {
  return fmt::format("{}/blobs/sha256/{}", root_, digest_hex(digest));
}

std::string Store::layer_path(std::string_view id) const { return fmt::format("{}/layers/{}", fs_, id); }

std::string Store::contents_path(std::string_view layer_id) const {
  return fmt::format("{}/contents/{}", fs_, layer_id);
}

std::string Store::cache_mount_path(std::string_view id) const {
  return fmt::format("{}/mounts/{}", fs_, digest_hex(sha256(id)));
}

FileLock Store::lock_step(const Digest& key, std::stop_token stop) {
  return FileLock::acquire_byte(locks_directory() + "/step", byte_of(key), std::move(stop));
}

FileLock Store::lock_layer(const Digest& diff_id, std::stop_token stop) {
  return FileLock::acquire_byte(locks_directory() + "/layer", byte_of(diff_id), std::move(stop));
}

FileLock Store::lock_cache_mount(std::string_view id, std::stop_token stop) {
  return FileLock::acquire(fmt::format("{}/mount-{}", locks_directory(), digest_hex(sha256(id))), std::move(stop));
}

FileLock Store::try_lock_cache_mount(std::string_view id) {
  return FileLock::try_acquire(fmt::format("{}/mount-{}", locks_directory(), digest_hex(sha256(id))));
}

}  // namespace mbuild::cache
