// Written here and not left to libarchive: the names in a layer are bytes, but libarchive converts names of pax headers
// through the process's locale and brings Unicode to a composed form, so that a file could get another name than the
// one the image says. What is accepted follows what container engines read.
#include "layers/tar_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/error.h"
#include "layers/tar_format.h"

namespace mbuild::image {
namespace {

constexpr std::uint64_t k_max_special = 1024 * 1024;  // of an extended header or a long name
constexpr std::uint64_t k_max_size = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t k_max_segments = 1024 * 1024;
constexpr std::string_view k_xattr_key = "SCHILY.xattr.";

[[noreturn]] void broken(std::string_view what) {
  throw Error(ExitClass::network, fmt::format("the layer is no valid tar: {}", what));
}

std::string_view field(std::string_view block, std::size_t offset, std::size_t size) {
  return block.substr(offset, size);
}

// Up to the first NUL.
std::string text(std::string_view block, std::size_t offset, std::size_t size) {
  const std::string_view value = field(block, offset, size);
  return std::string(value.substr(0, value.find('\0')));
}

std::int64_t base_256(std::string_view value) {
  const bool negative = (value[0] & 0x40) != 0;
  std::uint64_t number = negative ? ~0ULL : 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto byte = static_cast<unsigned char>(value[i]);
    if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80 : byte & 0x7f);
    const std::uint64_t lost = number >> 55;  // with the sign bit
    if (lost != 0 && lost != (~0ULL >> 55)) broken("a number is too large");
    number = number << 8 | byte;
  }
  return static_cast<std::int64_t>(number);
}

std::int64_t number(std::string_view block, std::size_t offset, std::size_t size) {
  std::string_view value = field(block, offset, size);
  if (static_cast<unsigned char>(value[0]) & 0x80) return base_256(value);
  const auto blank = [](char c) { return c == ' ' || c == '\0'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  value = value.substr(0, value.find('\0'));
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  if (value.empty()) return 0;
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result, 8);
  if (error != std::errc() || end != value.data() + value.size() || result < 0) broken("a number is malformed");
  return result;
}

std::uint64_t decimal(std::string_view value) {
  std::uint64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() || result > k_max_size) {
    broken("a number in an extended header is malformed");
  }
  return result;
}

std::uint32_t id(std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) broken("an owner or device number is too large");
  return static_cast<std::uint32_t>(value);
}

bool is_zero(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; });
}

bool checksum_holds(std::string_view block) {
  constexpr std::size_t k_offset = 148, k_size = 8;
  std::int64_t plain = 0, with_sign = 0;  // old programs added signed characters
  for (std::size_t i = 0; i < block.size(); ++i) {
    const char c = i >= k_offset && i < k_offset + k_size ? ' ' : block[i];
    plain += static_cast<unsigned char>(c);
    with_sign += static_cast<signed char>(c);
  }
  const std::int64_t stored = number(block, k_offset, k_size);
  return stored == plain || stored == with_sign;
}

// "-12.345" -> seconds rounded down and nanoseconds.
void parse_time(std::string_view value, std::int64_t& seconds, std::uint32_t& nanoseconds) {
  const bool negative = value.starts_with('-');
  if (negative) value.remove_prefix(1);
  const std::size_t dot = value.find('.');
  seconds = static_cast<std::int64_t>(decimal(value.substr(0, dot)));
  nanoseconds = 0;
  if (dot != std::string_view::npos) {
    std::string digits(value.substr(dot + 1, 9));
    digits.resize(9, '0');
    nanoseconds = static_cast<std::uint32_t>(decimal(digits));
  }
  if (!negative) return;
  seconds = -seconds;
  if (nanoseconds > 0) {
    seconds -= 1;
    nanoseconds = 1000000000 - nanoseconds;
  }
}

bool has_content(char type) {
  switch (type) {
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
      return false;
    default:
      return true;
  }
}

}  // namespace

bool is_tar_header(std::string_view block) {
  try {
    return !is_zero(block) && checksum_holds(block);
  } catch (const Error&) {
    return false;
  }
}

// What precedes an entry's own header.
struct TarReader::Extended {
  std::map<std::string, std::string, std::less<>> records;
  std::vector<std::uint64_t> sparse_numbers;  // GNU.sparse 0.0: offset, size, ...
  std::optional<std::string> long_name, long_link;

  const std::string* find(std::string_view key) const {
    const auto found = records.find(key);
    return found == records.end() || found->second.empty() ? nullptr : &found->second;
  }

  void add(std::string_view content) {
    while (!content.empty() && content.front() != '\0') {
      const std::size_t space = content.find(' ');
      if (space == std::string_view::npos || space > 10) broken("an extended header is malformed");
      const std::uint64_t length = decimal(content.substr(0, space));
      if (length < space + 3 || length > content.size() || content[length - 1] != '\n') {
        broken("an extended header is malformed");
      }
      const std::string_view record = content.substr(space + 1, length - space - 2);
      content.remove_prefix(length);
      const std::size_t equals = record.find('=');
      if (equals == std::string_view::npos || equals == 0) broken("an extended header is malformed");
      add(record.substr(0, equals), record.substr(equals + 1));
    }
  }

  void add(std::string_view key, std::string_view value) {
    if (key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes") {
      sparse_numbers.push_back(decimal(value));
      return;
    }
    if (!key.starts_with(k_xattr_key) && value.find('\0') != std::string_view::npos) {
      broken("an extended header has a NUL");
    }
    records.insert_or_assign(std::string(key), std::string(value));
  }
};

std::string_view TarReader::take(std::size_t most) {
  if (chunk_.empty()) chunk_ = source_();
  const std::string_view piece = chunk_.substr(0, most);
  chunk_.remove_prefix(piece.size());
  return piece;
}

bool TarReader::take_exactly(std::string& out, std::size_t size) {
  out.clear();
  while (out.size() < size) {
    const std::string_view piece = take(size - out.size());
    if (piece.empty()) {
      if (out.empty()) return false;
      broken("it ends too early");
    }
    out += piece;
  }
  return true;
}

void TarReader::skip(std::uint64_t size) {
  while (size > 0) {
    const std::string_view piece = take(static_cast<std::size_t>(std::min<std::uint64_t>(size, SIZE_MAX)));
    if (piece.empty()) broken("it ends too early");
    size -= piece.size();
  }
}

void TarReader::drain() {
  chunk_ = {};
  while (!source_().empty()) {
  }
}

std::string TarReader::special_content(std::uint64_t size) {
  if (size > k_max_special) broken("an extended header is too long");
  std::string content;
  if (size > 0 && !take_exactly(content, static_cast<std::size_t>(size))) broken("it ends too early");
  skip(tar_padding(size).size());
  return content;
}

// False at the end of the archive: two zero blocks, or no more bytes.
bool TarReader::read_block(std::string& block) {
  if (!take_exactly(block, k_tar_block)) return false;
  if (is_zero(block)) {
    if (take_exactly(block, k_tar_block) && !is_zero(block)) broken("a zero block is followed by something else");
    return false;
  }
  if (!checksum_holds(block)) broken("the checksum of a header is wrong");
  return true;
}

bool TarReader::next(TarEntry& entry) {
  skip(content_left_);
  skip(padding_);
  content_left_ = padding_ = 0;
  segments_.clear();

  Extended extended;
  std::string block;
  bool anything_before = false;
  for (;;) {
    if (!read_block(block)) {
      if (anything_before) broken("it ends after an extended header");
      return false;
    }
    const char type = block[156];
    const bool special = type == 'x' || type == 'X' || type == 'g' || type == 'L' || type == 'K';
    if (!special) break;
    const std::int64_t size = number(block, 124, 12);
    if (size < 0) broken("a size is negative");
    std::string content = special_content(static_cast<std::uint64_t>(size));
    if (type == 'x' || type == 'X') extended.add(content);
    content.resize(std::min(content.size(), content.find('\0')));
    if (type == 'L') extended.long_name = std::move(content);
    if (type == 'K') extended.long_link = std::move(content);
    // Global headers ('g') are not for layers; container engines pass them over too.
    if (type != 'g') anything_before = true;
  }
  fill(entry, block, extended);
  return true;
}

void TarReader::fill(TarEntry& entry, const std::string& block, const Extended& extended) {
  entry = {};
  const std::string_view magic = field(block, 257, 8);
  const bool gnu = magic == std::string_view("ustar  \0", 8);
  entry.path = text(block, 0, 100);
  if (!gnu && magic.starts_with("ustar")) {
    const bool star = field(block, 508, 4) == std::string_view("tar\0", 4);
    const std::string prefix = text(block, 345, star ? 131 : 155);
    if (!prefix.empty()) entry.path = prefix + "/" + entry.path;
  }
  entry.link_target = text(block, 157, 100);
  if (extended.long_name) entry.path = *extended.long_name;
  if (extended.long_link) entry.link_target = *extended.long_link;
  if (const auto* path = extended.find("path")) entry.path = *path;
  if (const auto* link = extended.find("linkpath")) entry.link_target = *link;

  entry.type = block[156];
  if (entry.type == '\0' || entry.type == '7') entry.type = '0';
  if (entry.type == '0' && entry.path.ends_with('/')) entry.type = '5';  // v7 had no type for directories
  entry.mode = static_cast<std::uint32_t>(number(block, 100, 8)) & 07777;
  const auto* uid = extended.find("uid");
  const auto* gid = extended.find("gid");
  entry.uid = id(uid ? static_cast<std::int64_t>(decimal(*uid)) : number(block, 108, 8));
  entry.gid = id(gid ? static_cast<std::int64_t>(decimal(*gid)) : number(block, 116, 8));
  entry.mtime_sec = number(block, 136, 12);
  if (const auto* mtime = extended.find("mtime")) parse_time(*mtime, entry.mtime_sec, entry.mtime_nsec);
  if (entry.type == '3' || entry.type == '4') {
    entry.dev_major = id(number(block, 329, 8));
    entry.dev_minor = id(number(block, 337, 8));
  }
  for (const auto& [key, value] : extended.records) {
    if (key.starts_with(k_xattr_key)) entry.xattrs[key.substr(k_xattr_key.size())] = value;
  }
  const auto* size = extended.find("size");
  const std::int64_t in_header = size ? 0 : number(block, 124, 12);
  if (in_header < 0) broken("a size is negative");
  const std::uint64_t stored = size ? decimal(*size) : static_cast<std::uint64_t>(in_header);
  begin_content(entry, block, extended, has_content(entry.type) ? stored : 0);
}

// Lays out where the stored bytes go: one segment, or those of a sparse file.
void TarReader::begin_content(TarEntry& entry, const std::string& block, const Extended& extended,
                              std::uint64_t stored) {
  entry.size = stored;
  content_left_ = stored;
  padding_ = tar_padding(stored).size();
  segment_ = 0;
  segment_done_ = 0;
  const auto* major = extended.find("GNU.sparse.major");
  const auto* map = extended.find("GNU.sparse.map");
  std::optional<std::uint64_t> real_size;
  if (entry.type == 'S') {
    entry.type = '0';
    const std::int64_t size = number(block, 483, 12);
    if (size < 0) broken("a size is negative");
    real_size = static_cast<std::uint64_t>(size);
    read_old_sparse_map(block);
  } else if (entry.type == '0' && (major || map || !extended.sparse_numbers.empty())) {
    const auto* size = extended.find("GNU.sparse.realsize");
    if (!size) size = extended.find("GNU.sparse.size");
    if (!size) broken("a sparse file has no size");
    real_size = decimal(*size);
    if (const auto* name = extended.find("GNU.sparse.name")) entry.path = *name;
    if (major && *major == "1") {
      read_sparse_map_1_0();
    } else {
      std::vector<std::uint64_t> numbers = extended.sparse_numbers;
      for (std::string_view rest = map ? std::string_view(*map) : std::string_view(); !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        numbers.push_back(decimal(rest.substr(0, comma)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
      if (numbers.size() % 2 != 0) broken("a sparse map is malformed");
      for (std::size_t i = 0; i < numbers.size(); i += 2) segments_.push_back({numbers[i], numbers[i + 1]});
    }
  }
  if (!real_size) {
    segments_.push_back({0, stored});
    return;
  }
  entry.size = *real_size;
  std::uint64_t sum = 0, end = 0;
  for (const Segment& segment : segments_) {
    if (segment.offset < end || segment.size > entry.size || segment.offset > entry.size - segment.size) {
      broken("a sparse map is malformed");
    }
    end = segment.offset + segment.size;
    sum += segment.size;
  }
  if (sum != content_left_) broken("a sparse map does not fit the content");
}

void TarReader::read_old_sparse_map(const std::string& block) {
  const auto add = [&](std::string_view from, std::size_t offset, int count) {
    for (int i = 0; i < count; ++i, offset += 24) {
      if (from[offset] == '\0') return;
      const std::int64_t at = number(from, offset, 12), size = number(from, offset + 12, 12);
      if (at < 0 || size < 0) broken("a sparse map is malformed");
      segments_.push_back({static_cast<std::uint64_t>(at), static_cast<std::uint64_t>(size)});
    }
  };
  add(block, 386, 4);
  std::string extension;
  for (bool more = block[482] != '\0'; more; more = extension[504] != '\0') {
    if (!take_exactly(extension, k_tar_block)) broken("it ends too early");
    if (segments_.size() > k_max_segments) broken("a sparse map is too long");
    add(extension, 0, 21);
  }
}

// The map stands before the content, in lines, filled up to a block.
void TarReader::read_sparse_map_1_0() {
  std::string buffered;
  const std::uint64_t count = read_decimal_line(buffered);
  if (count > k_max_segments) broken("a sparse map is too long");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = read_decimal_line(buffered);
    segments_.push_back({offset, read_decimal_line(buffered)});
  }
}

std::uint64_t TarReader::read_decimal_line(std::string& buffered) {
  std::size_t end;
  while ((end = buffered.find('\n')) == std::string::npos) {
    std::string block;
    if (content_left_ < k_tar_block || buffered.size() > k_tar_block) broken("a sparse map is malformed");
    if (!take_exactly(block, k_tar_block)) broken("it ends too early");
    content_left_ -= k_tar_block;
    buffered += block;
  }
  const std::uint64_t value = decimal(std::string_view(buffered).substr(0, end));
  buffered.erase(0, end + 1);
  return value;
}

TarPiece TarReader::content() {
  while (segment_ < segments_.size() && segment_done_ == segments_[segment_].size) {
    ++segment_;
    segment_done_ = 0;
  }
  if (segment_ == segments_.size()) return {};
  const Segment& segment = segments_[segment_];
  const std::uint64_t left = segment.size - segment_done_;
  const std::string_view piece = take(static_cast<std::size_t>(std::min<std::uint64_t>(left, SIZE_MAX)));
  if (piece.empty()) broken("it ends too early");
  const std::uint64_t offset = segment.offset + segment_done_;
  segment_done_ += piece.size();
  content_left_ -= piece.size();
  return {offset, piece};
}

}  // namespace mbuild::image
