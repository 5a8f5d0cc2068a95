#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reads tar as layers come: ustar, pax, GNU (long names, base-256 numbers, sparse files), v7 and star. Names are bytes.
namespace mbuild::image {

struct TarEntry {
  std::string path;
  char type = '0';  // '0' regular, '1' hard link, '2' symbolic link, '3' char, '4' block, '5' directory, '6' fifo
  std::string link_target;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::uint64_t size = 0;  // of the file, holes included
  std::int64_t mtime_sec = 0;
  std::uint32_t mtime_nsec = 0;
  std::uint32_t dev_major = 0, dev_minor = 0;
  std::map<std::string, std::string> xattrs;
};

// Whether a block (of k_tar_block bytes) can begin an archive.
bool is_tar_header(std::string_view block);

struct TarPiece {
  std::uint64_t offset = 0;  // in the file
  std::string_view bytes;    // empty: the content has ended
};

class TarReader {
 public:
  // `source` gives the next bytes, valid until it is called again; empty at the end.
  explicit TarReader(std::function<std::string_view()> source) : source_(std::move(source)) {}

  // The next entry; what is left of the last one's content is skipped. False at the end of the archive. Throws Error
  // (network) for what is no tar.
  bool next(TarEntry& entry);
  // The next piece of the entry's content, valid until the next call of any member.
  TarPiece content();
  // Reads the rest of the source, whatever it is.
  void drain();

 private:
  struct Extended;
  struct Segment {
    std::uint64_t offset, size;
  };

  std::string_view take(std::size_t most);
  bool take_exactly(std::string& out, std::size_t size);  // false: the source ended before the first byte
  void skip(std::uint64_t size);
  std::string special_content(std::uint64_t size);
  bool read_block(std::string& block);
  void fill(TarEntry& entry, const std::string& block, const Extended& extended);
  void begin_content(TarEntry& entry, const std::string& block, const Extended& extended, std::uint64_t stored);
  void read_old_sparse_map(const std::string& block);
  void read_sparse_map_1_0();
  std::uint64_t read_decimal_line(std::string& buffered);

  std::function<std::string_view()> source_;
  std::string_view chunk_;
  std::uint64_t content_left_ = 0;  // stored bytes of the entry that were not read
  std::uint64_t padding_ = 0;
  std::vector<Segment> segments_;  // where the stored bytes go
  std::size_t segment_ = 0;
  std::uint64_t segment_done_ = 0;
};

}  // namespace mbuild::image
