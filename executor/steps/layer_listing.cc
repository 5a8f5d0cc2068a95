#include "executor/steps/layer_listing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "layers/tar_reader.h"

namespace mbuild::executor {
namespace {

std::string describe(const image::TarEntry& entry, const Digest& content) {
  std::string out = fmt::format("type {} mode {:04o} owner {}:{}", entry.type, entry.mode, entry.uid, entry.gid);
  if (entry.type == '0') out += fmt::format(" size {} {}", entry.size, content);
  if (!entry.link_target.empty()) out += " to " + entry.link_target;
  if (entry.type == '3' || entry.type == '4') out += fmt::format(" device {}:{}", entry.dev_major, entry.dev_minor);
  for (const auto& [name, value] : entry.xattrs) out += fmt::format(" {}={}", name, digest_hex(sha256(value)));
  return out;
}

// Of the bytes alone: where pieces of them begin and holes are says nothing.
Digest content_digest(image::TarReader& reader, std::uint64_t size) {
  static const std::string k_zeros(1 << 16, '\0');
  Sha256 hash;
  std::uint64_t done = 0;
  const auto fill_until = [&](std::uint64_t end) {
    while (done < end) {
      const auto part = std::string_view(k_zeros).substr(0, end - done);
      hash.update(part);
      done += part.size();
    }
  };
  for (auto piece = reader.content(); !piece.bytes.empty(); piece = reader.content()) {
    fill_until(piece.offset);
    hash.update(piece.bytes);
    done += piece.bytes.size();
  }
  fill_until(size);
  return hash.digest();
}

}  // namespace

void each_entry(Worker& worker, const std::string& layer, WorkDirectories& work, const std::stop_token& stop,
                const std::function<void(const image::TarEntry& entry, image::TarReader& reader)>& use) {
  const Fd tar = open_file(work.next(), O_TMPFILE | O_RDWR, 0600);
  worker.get(layer, [&](std::string_view bytes) { write_all(tar.get(), bytes); }, stop);
  ::lseek(tar.get(), 0, SEEK_SET);
  std::vector<char> buffer(1 << 16);
  image::TarReader reader([&]() -> std::string_view {
    return {buffer.data(), read_full(tar.get(), std::as_writable_bytes(std::span(buffer)))};
  });
  image::TarEntry entry;
  while (reader.next(entry)) use(entry, reader);
}

LayerListing list_layer(Worker& worker, const std::string& layer, WorkDirectories& work, const std::stop_token& stop) {
  LayerListing out;
  each_entry(worker, layer, work, stop, [&](const image::TarEntry& entry, image::TarReader& reader) {
    const Digest content = entry.type == '0' ? content_digest(reader, entry.size) : Digest();
    out[entry.path] = describe(entry, content);
  });
  return out;
}

std::map<std::string, std::string> differences(const LayerListing& a, const LayerListing& b) {
  static const std::string k_nothing = "nothing";
  const auto said = [](const LayerListing& listing, const std::string& path) -> const std::string& {
    const auto found = listing.find(path);
    return found == listing.end() ? k_nothing : found->second;
  };
  std::map<std::string, std::string> out;
  for (const auto* listing : {&a, &b}) {
    for (const auto& [path, text] : *listing) {
      if (said(a, path) != said(b, path)) out[path] = fmt::format("{}; {}", said(a, path), said(b, path));
    }
  }
  return out;
}

}  // namespace mbuild::executor
