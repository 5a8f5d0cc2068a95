#include "layers/unpack.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "layers/blob_reader.h"
#include "layers/layer_writer.h"
#include "layers/tar_reader.h"
#include "oci/manifest.h"

namespace mbuild::image {
namespace {

void check_blob(const BlobFacts& facts, const UnpackOptions& options) {
  if (options.expected_size && facts.size != *options.expected_size) {
    throw Error(ExitClass::network, fmt::format("the layer has {} bytes, but its descriptor says {} (digest {})",
                                                facts.size, *options.expected_size, options.expected_digest))
        .with_advice("the download is incomplete or the image is damaged; try again, or pull another copy");
  }
  if (!options.expected_digest.empty() && facts.digest != options.expected_digest) {
    throw Error(ExitClass::network,
                fmt::format("the layer's digest is {}, but {} was expected", facts.digest, options.expected_digest))
        .with_advice("the download or the stored blob is damaged; try again, or pull another copy");
  }
}

// Adds a regular file to the layer and shows it to those who look on.
void add_watched(TarReader& tar, LayerWriter& writer, const TarEntry& entry,
                 const std::vector<EntryVisitor*>& visitors) {
  Inode inode;
  inode.mode = entry.mode;
  inode.size = entry.size;
  const std::string path = clean_path("/" + entry.path).substr(1);
  for (auto* visitor : visitors) visitor->begin_entry(path, inode);
  std::uint64_t shown = 0;
  writer.add(entry, [&] {
    const TarPiece piece = tar.content();
    if (piece.offset == shown) {
      for (auto* visitor : visitors) visitor->data(piece.bytes);
      shown += piece.bytes.size();
    }
    return piece;
  });
  for (auto* visitor : visitors) visitor->end_entry();
}

void unpack_entries(TarReader& tar, LayerWriter& writer, const UnpackOptions& options, UnpackResult& result) {
  TarEntry entry;
  while (tar.next(entry)) {
    if (options.stop.stop_requested()) throw Cancelled();
    try {
      const bool watched = entry.type == '0' && !options.visitors.empty();
      if (watched) {
        add_watched(tar, writer, entry, options.visitors);
      } else {
        writer.add(entry, [&] { return tar.content(); });
      }
    } catch (Error& error) {
      error.with_context("layer entry " + entry.path);
      throw;
    }
    ++result.entries;
  }
  tar.drain();
}

}  // namespace

UnpackResult unpack_layer(int blob_fd, std::string_view media_type, int destination_dir_fd,
                          const UnpackOptions& options) {
  if (!media_type.empty() && !is_layer_type(media_type)) {
    throw Error(ExitClass::network, fmt::format("{} is no media type of a file system layer", media_type));
  }
  UnpackResult result;
  BlobReader blob(blob_fd, !options.expected_digest.empty(), options.stop, options.progress);
  Sha256 tar_sha;
  TarReader tar([&] {
    const std::string_view bytes = blob.next();
    tar_sha.update(bytes);
    result.tar_size += bytes.size();
    return bytes;
  });
  LayerWriter writer(destination_dir_fd, options.owners, options.lower_dirs);
  try {
    unpack_entries(tar, writer, options, result);
  } catch (const Error& error) {
    // What is wrong with broken content is, first of all, that it is not the content that was asked for.
    if (error.exit_class == ExitClass::network && !options.expected_digest.empty()) {
      blob.read_to_end();
      check_blob(blob.facts(), options);
    }
    throw;
  }
  check_blob(blob.facts(), options);
  result.digest = blob.facts().digest;
  result.blob_size = blob.facts().size;
  result.diff_id = tar_sha.digest();
  if (!options.expected_diff_id.empty() && result.diff_id != options.expected_diff_id) {
    throw Error(ExitClass::network, fmt::format("the layer's diff id is {}, but the image's config says {}",
                                                result.diff_id, options.expected_diff_id))
        .with_advice("the image is inconsistent: have it pushed again");
  }
  result.implied = writer.finish();
  result.bytes = writer.bytes();
  result.links_into_lower = writer.links_into_lower();
  return result;
}

}  // namespace mbuild::image
