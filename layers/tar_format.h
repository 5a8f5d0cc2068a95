#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "layers/inode.h"

// Tar headers as bytes: ustar, with a pax extended header before it where ustar can't say it.
namespace mbuild::image {

inline constexpr std::size_t k_tar_block = 512;
inline constexpr std::string_view k_whiteout_prefix = ".wh.";
inline constexpr std::string_view k_opaque_marker = ".wh..wh..opq";

// The header blocks of an entry. `path` without a trailing slash; `hard_link` is the path that a further name of a
// file refers to, or "". Times are written in whole seconds. Throws Error (store) for an xattr name that pax can't
// hold.
std::string tar_header(std::string_view path, const Inode& inode, std::string_view hard_link = {});
// Zero bytes that fill up a content of `size` bytes.
std::string_view tar_padding(std::uint64_t size);
// The two zero blocks that end an archive.
std::string_view tar_end();

}  // namespace mbuild::image
