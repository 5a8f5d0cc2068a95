// How blocks become one gzip member
//
// gzip has no frames inside a member: a reader of concatenated members is common but not universal. So the blocks are
// joined into one deflate stream: gzip header, the deflate data of block 1, of block 2, ..., an empty final block, CRC
// and size of all. A block's deflate data can follow that of another when it ends on a byte boundary and has no deflate
// block with the "final" bit (BFINAL) set. No block refers to bytes of an earlier one, which costs 1 % in size and
// makes them independent, so that the bytes are the same for every number of threads.
//
// ISA-L does that with FULL_FLUSH. libdeflate only writes complete streams: the last deflate block has BFINAL set, at a
// bit position that it does not tell. It is found by letting zlib walk over the blocks (Z_BLOCK stops at each boundary
// and tells the bit position), the bit is cleared, and an empty stored block brings the end to a byte boundary. The
// walk costs a fifth of what libdeflate takes at level 6, and is a check of the compressor besides.
//
// zstd frames can be concatenated by the format's definition, so each block is a frame.
#include "layers/block_compressor.h"

#include <fmt/format.h>
#include <isa-l.h>
#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <memory>

#include "base/error.h"

namespace mbuild::image {
namespace {

constexpr int k_isal_level = 2;
// zstd's own default, with a window as long as a block: long matches are most of what blocks lose that know nothing of
// each other. [M: 268 MB of /usr, in MB and seconds of one core: frames of 4 MiB at level 2 90.9 in 1.23, these 86.1 in
// 1.45, twice the entries in the tables of places 85.2 in 1.98; zstd -3 as one frame 86.2 in 1.74.]
constexpr int k_zstd_level = 3;
constexpr int k_zstd_window_log = 23;  // the most that every decoder has to take (RFC 8878, 3.1.1.1.2)
constexpr std::string_view k_empty_stored_block_rest("\x00\x00\xff\xff", 4);
constexpr std::string_view k_empty_final_block("\x03\x00", 2);

Bytef* zlib_bytes(std::string_view text) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data())); }

[[noreturn]] void broken(std::string_view what) {
  throw Error(ExitClass::internal, fmt::format("{} did not compress a block", what));
}

struct IsalState {
  isal_zstream stream;
  std::array<std::uint8_t, ISAL_DEF_LVL2_DEFAULT> level_buffer;

  void operator()(std::string_view in, Bytes& out) {
    isal_deflate_init(&stream);
    stream.level = k_isal_level;
    stream.level_buf = level_buffer.data();
    stream.level_buf_size = static_cast<std::uint32_t>(level_buffer.size());
    stream.gzip_flag = IGZIP_DEFLATE;
    stream.flush = FULL_FLUSH;
    stream.end_of_stream = 0;
    stream.next_in = zlib_bytes(in);
    stream.avail_in = static_cast<std::uint32_t>(in.size());
    // What does not compress is stored, with a few bytes of overhead for each 64 KiB.
    out.make_room(in.size() + in.size() / 8 + 1024);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = static_cast<std::uint32_t>(out.capacity());
    if (isal_deflate(&stream) != COMP_OK || stream.avail_in > 0 || stream.avail_out == 0) broken("ISA-L");
    out.resize(out.capacity() - stream.avail_out);
  }
};

// Bit positions in a deflate stream.
struct FinalBlock {
  std::size_t begin = 0;  // of its BFINAL bit
  std::size_t end = 0;    // after its end-of-block code
};

FinalBlock find_final_block(std::string_view deflated) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) broken("zlib");
  const std::unique_ptr<z_stream, decltype([](z_stream* s) { inflateEnd(s); })> guard(&stream);
  stream.next_in = zlib_bytes(deflated);
  stream.avail_in = static_cast<uInt>(deflated.size());
  std::array<Bytef, 64 * 1024> window;
  FinalBlock found;
  for (;;) {
    stream.next_out = window.data();
    stream.avail_out = static_cast<uInt>(window.size());
    const int result = inflate(&stream, Z_BLOCK);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) broken("libdeflate");
    constexpr int k_at_boundary = 128, k_after_last = 64, k_unused_bits = 7;
    if (stream.data_type & k_at_boundary) {
      const std::size_t position = 8 * stream.total_in - static_cast<std::size_t>(stream.data_type & k_unused_bits);
      if (stream.data_type & k_after_last) {
        found.end = position;
        return found;
      }
      found.begin = position;
    } else if (result != Z_OK) {
      broken("libdeflate");
    }
  }
}

// Makes a complete deflate stream one that another can follow; at most k_open_end bytes longer.
constexpr std::size_t k_open_end = 5;
void open_end(Bytes& deflated) {
  const FinalBlock last = find_final_block(deflated.view());
  char& first = deflated.data()[last.begin / 8];
  first = static_cast<char>(first & ~(1 << (last.begin % 8)));
  const std::size_t size = (last.end + 7) / 8;
  deflated.resize(size);
  // Three zero bits begin a stored block; those that the last byte has left are zero.
  const std::size_t bits_left = 8 * size - last.end;
  if (bits_left < 3) deflated.append(std::string_view("\0", 1));
  deflated.append(k_empty_stored_block_rest);
}

struct LibdeflateState {
  std::unique_ptr<libdeflate_compressor, decltype([](libdeflate_compressor* c) { libdeflate_free_compressor(c); })>
      compressor;

  void operator()(std::string_view in, Bytes& out) {
    out.make_room(libdeflate_deflate_compress_bound(compressor.get(), in.size()) + k_open_end);
    const std::size_t size =
        libdeflate_deflate_compress(compressor.get(), in.data(), in.size(), out.data(), out.capacity() - k_open_end);
    if (size == 0) broken("libdeflate");
    out.resize(size);
    open_end(out);
  }
};

struct ZstdState {
  std::unique_ptr<ZSTD_CCtx, decltype([](ZSTD_CCtx* c) { ZSTD_freeCCtx(c); })> context;

  void operator()(std::string_view in, Bytes& out) {
    out.make_room(ZSTD_compressBound(in.size()));
    const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.capacity(), in.data(), in.size());
    if (ZSTD_isError(size)) broken("zstd");
    out.resize(size);
  }
};

CompressBlock make_zstd(std::optional<int> level) {
  auto state = std::make_shared<ZstdState>();
  state->context.reset(ZSTD_createCCtx());
  if (!state->context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter name, int value) { ZSTD_CCtx_setParameter(state->context.get(), name, value); };
  set(ZSTD_c_compressionLevel, level.value_or(k_zstd_level));
  set(ZSTD_c_windowLog, k_zstd_window_log);
  set(ZSTD_c_checksumFlag, 1);
  return [state](std::string_view in, Bytes& out) { (*state)(in, out); };
}

CompressBlock make_libdeflate(int level) {
  auto state = std::make_shared<LibdeflateState>();
  state->compressor.reset(libdeflate_alloc_compressor(level));
  if (!state->compressor) throw Error(ExitClass::usage, fmt::format("gzip has no compression level {}", level));
  return [state](std::string_view in, Bytes& out) { (*state)(in, out); };
}

}  // namespace

std::size_t compression_block_size(Compression compression) {
  return compression == Compression::zstd ? 8 * 1024 * 1024 : 1024 * 1024;
}

CompressBlock make_block_compressor(Compression compression, std::optional<int> level) {
  switch (compression) {
    case Compression::none:
      return [](std::string_view in, Bytes& out) {
        out.make_room(in.size());
        out.append(in);
      };
    case Compression::zstd:
      return make_zstd(level);
    case Compression::gzip:
      break;
  }
  if (level) return make_libdeflate(*level);
  auto state = std::make_shared<IsalState>();
  return [state](std::string_view in, Bytes& out) { (*state)(in, out); };
}

std::string stream_head(Compression compression) {
  // No name, no time, unknown operating system: nothing that differs between machines.
  return compression == Compression::gzip ? std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10) : "";
}

std::string stream_tail(Compression compression, std::uint32_t crc, std::uint64_t size) {
  if (compression != Compression::gzip) return "";
  std::string tail(k_empty_final_block);
  for (const std::uint32_t word : {crc, static_cast<std::uint32_t>(size)}) {
    for (int shift = 0; shift < 32; shift += 8) tail += static_cast<char>(word >> shift & 0xff);
  }
  return tail;
}

std::uint32_t block_crc(std::string_view block) {
  return crc32_gzip_refl(0, reinterpret_cast<const unsigned char*>(block.data()), block.size());
}

std::uint32_t joined_crc(std::uint32_t crc, std::uint32_t next_crc, std::uint64_t next_size) {
  return static_cast<std::uint32_t>(crc32_combine(crc, next_crc, static_cast<z_off_t>(next_size)));
}

}  // namespace mbuild::image
