#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "layers/inode.h"
#include "layers/unpack.h"

// What the tests of the image room share.
namespace mbuild::image::test {

// An empty directory that goes with the object.
struct Scratch {
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  std::string operator/(std::string_view name) const { return path + "/" + std::string(name); }

  std::string path;
  Fd fd;
};

// Builds a tar, entry by entry.
struct Tar {
  Tar& add(std::string_view path, Inode inode, std::string_view content = {});
  Tar& file(std::string_view path, std::string_view content = {}, unsigned mode = 0644);
  Tar& dir(std::string_view path, unsigned mode = 0755);
  Tar& symlink(std::string_view path, std::string_view target);
  Tar& hard(std::string_view path, std::string_view target, std::optional<Inode> metadata = std::nullopt);
  std::string end() const;

  std::string bytes;
};

// Real owners for root, else attributes.
OwnerMode owner_mode();
UnpackResult unpack(std::string_view blob, const Scratch& into, UnpackOptions options = {});
Inode look(const Scratch& in, const std::string& path);
bool there(const Scratch& in, const std::string& path);
std::string content(const Scratch& in, const std::string& path);
void put(const Scratch& in, const std::string& path, std::string_view content);
// All of a tar of a layer directory.
std::string tar_of(const Scratch& layer, std::vector<std::string> implied = {});
// Decompressed by zlib as exactly one gzip member; throws if it is something else.
std::string gunzip_one_member(std::string_view bytes);
std::string gzip(std::string_view bytes);
std::string pseudo_random(std::size_t size, unsigned seed = 1);
// What an Error says, advice included; "" when nothing is thrown.
template <typename Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return std::string(error.what()) + " | " + error.advice;
  }
  return "";
}

}  // namespace mbuild::image::test
