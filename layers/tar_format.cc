// Headers are written here and not by libarchive because a layer's names are bytes: libarchive converts them through
// the process's locale, and a name that is no UTF-8 or is in a decomposed form would come out changed.
#include "layers/tar_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace mbuild::image {
namespace {

constexpr std::uint64_t k_max_7_octal = 07777777;
constexpr std::uint64_t k_max_11_octal = 077777777777;

struct Header {
  char name[100];
  char mode[8], uid[8], gid[8];
  char size[12], mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6], version[2];
  char user[32], group[32];
  char dev_major[8], dev_minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(Header) == k_tar_block);

template <std::size_t N>
void put_octal(char (&field)[N], std::uint64_t value) {
  for (std::size_t i = N - 1; i-- > 0; value >>= 3) field[i] = static_cast<char>('0' + (value & 7));
}

template <std::size_t N>
void put_text(char (&field)[N], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), N));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Strict enough for names: rejects stray and missing continuation bytes, overlong forms, surrogates.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

// "LENGTH KEY=VALUE\n", where LENGTH counts itself.
void add_record(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) length = fmt::formatted_size("{}", length) + rest;
  records += fmt::format("{} ", length);
  records.append(key).append("=").append(value).append("\n");
}

// Where to cut a path into ustar's prefix and name; 0: it can't be.
std::size_t prefix_cut(std::string_view path) {
  const std::size_t cut = path.substr(0, std::min<std::size_t>(path.size() - 1, 156)).rfind('/');
  if (cut == std::string_view::npos || cut == 0 || path.size() - cut - 1 > 100) return 0;
  return cut;
}

void put_path(Header& header, std::string& records, std::string_view path) {
  const bool fits = path.size() <= sizeof header.name;
  // A name that is no UTF-8 is kept as bytes, in the header if it fits; pax has a word for the other case.
  const bool plain = is_ascii(path) || (fits && !is_utf8(path));
  if (plain && fits) {
    put_text(header.name, path);
  } else if (const std::size_t cut = plain ? prefix_cut(path) : 0; cut > 0) {
    put_text(header.prefix, path.substr(0, cut));
    put_text(header.name, path.substr(cut + 1));
  } else {
    if (!is_utf8(path) && records.find("hdrcharset=") == std::string::npos) add_record(records, "hdrcharset", "BINARY");
    add_record(records, "path", path);
    put_text(header.name, path);
  }
}

void put_link(Header& header, std::string& records, std::string_view target) {
  const bool fits = target.size() <= sizeof header.link;
  if (!fits || (!is_ascii(target) && is_utf8(target))) {
    if (!is_utf8(target) && records.find("hdrcharset=") == std::string::npos) {
      add_record(records, "hdrcharset", "BINARY");
    }
    add_record(records, "linkpath", target);
  }
  put_text(header.link, target);
}

template <std::size_t N>
void put_number(char (&field)[N], std::string& records, std::string_view key, std::uint64_t value, std::uint64_t max) {
  put_octal(field, value <= max ? value : 0);
  if (value > max) add_record(records, key, fmt::format("{}", value));
}

void put_time(Header& header, std::string& records, std::int64_t seconds) {
  const bool fits = seconds >= 0 && static_cast<std::uint64_t>(seconds) <= k_max_11_octal;
  put_octal(header.mtime, fits ? static_cast<std::uint64_t>(seconds) : 0);
  if (!fits) add_record(records, "mtime", fmt::format("{}", seconds));
}

void put_xattrs(std::string& records, std::string_view path, const Inode& inode) {
  for (const auto& [name, value] : inode.xattrs) {
    if (name.find('=') != std::string::npos) {
      throw Error(ExitClass::store, fmt::format("{}: a tar can't hold the extended attribute {}", path, name))
          .with_advice("remove the attribute in the step that sets it (setfattr -x)");
    }
    add_record(records, "SCHILY.xattr." + name, value);
  }
}

char type_letter(FileType type) {
  switch (type) {
    case FileType::directory:
      return '5';
    case FileType::symlink:
      return '2';
    case FileType::character:
      return '3';
    case FileType::block:
      return '4';
    case FileType::fifo:
      return '6';
    default:
      return '0';
  }
}

void finish(Header& header) {
  put_text(header.magic, std::string_view("ustar\0", 6));
  put_text(header.version, "00");
  std::memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  for (const char c : std::string_view(reinterpret_cast<const char*>(&header), sizeof header)) {
    sum += static_cast<unsigned char>(c);
  }
  header.checksum[7] = ' ';
  header.checksum[6] = '\0';
  for (std::size_t i = 6; i-- > 0; sum >>= 3) header.checksum[i] = static_cast<char>('0' + (sum & 7));
}

std::string bytes_of(const Header& header) { return {reinterpret_cast<const char*>(&header), sizeof header}; }

std::string extended_header(std::string_view path, std::string_view records) {
  Header header{};
  while (path.ends_with('/')) path.remove_suffix(1);
  std::string name = "PaxHeaders.0/" + std::string(path.substr(path.rfind('/') + 1));
  for (char& c : name) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '_';
  }
  put_text(header.name, name);
  put_octal(header.mode, 0644);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.mtime, 0);
  put_octal(header.size, records.size());
  header.type = 'x';
  finish(header);
  std::string out = bytes_of(header);
  out.append(records).append(tar_padding(records.size()));
  return out;
}

}  // namespace

std::string tar_header(std::string_view path, const Inode& inode, std::string_view hard_link) {
  Header header{};
  std::string records;
  const bool directory = inode.type == FileType::directory;
  const std::string shown = directory ? std::string(path) + "/" : std::string(path);
  put_path(header, records, shown);
  const std::string_view link = hard_link.empty() ? std::string_view(inode.link_target) : hard_link;
  if (!link.empty()) put_link(header, records, link);
  header.type = hard_link.empty() ? type_letter(inode.type) : '1';
  put_octal(header.mode, inode.mode & 07777);
  put_number(header.uid, records, "uid", inode.uid, k_max_7_octal);
  put_number(header.gid, records, "gid", inode.gid, k_max_7_octal);
  const bool has_content = inode.type == FileType::regular && hard_link.empty();
  put_number(header.size, records, "size", has_content ? inode.size : 0, k_max_11_octal);
  put_time(header, records, inode.mtime_sec);
  put_octal(header.dev_major, inode.rdev_major);
  put_octal(header.dev_minor, inode.rdev_minor);
  put_xattrs(records, path, inode);
  finish(header);
  return records.empty() ? bytes_of(header) : extended_header(path, records) + bytes_of(header);
}

std::string_view tar_padding(std::uint64_t size) {
  static constexpr std::array<char, k_tar_block> zeros{};
  return {zeros.data(), static_cast<std::size_t>((k_tar_block - size % k_tar_block) % k_tar_block)};
}

std::string_view tar_end() {
  static constexpr std::array<char, 2 * k_tar_block> zeros{};
  return {zeros.data(), zeros.size()};
}

}  // namespace mbuild::image
