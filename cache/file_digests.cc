#include <array>
#include <charconv>
#include <cstring>
#include <map>

#include "cache/store.h"

// The stat cache: content digests of files of the user.
//
// A context of ten thousand files asks ten thousand questions in every build. A row for each would cost more than the
// lstat that goes with it, so a row holds all that is known of 64 neighbouring inodes: the files of one tree were
// mostly made one after another. Where they were not, rows are small and no worse than one a file.
namespace mbuild::cache {
namespace {

constexpr std::uint64_t k_inodes_a_row = 64;

// One file, as it is in a row.
struct Entry {
  std::uint64_t inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  std::array<unsigned char, 32> digest = {};
};
static_assert(sizeof(Entry) == 64);

std::array<unsigned char, 32> raw(const Digest& digest) {
  std::array<unsigned char, 32> out = {};
  const auto hex = digest_hex(digest);
  for (std::size_t i = 0; i < out.size() && 2 * i + 2 <= hex.size(); ++i) {
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, out[i], 16);
  }
  return out;
}

Digest text(const std::array<unsigned char, 32>& raw) {
  static constexpr char k_digits[] = "0123456789abcdef";
  Digest out = "sha256:";
  out.reserve(71);
  for (const auto byte : raw) {
    out += k_digits[byte >> 4];
    out += k_digits[byte & 15];
  }
  return out;
}

// A row whose length is not that of whole entries is none of ours.
std::vector<Entry> read_row(Database& database, std::uint64_t device, std::uint64_t chunk) {
  Statement query(database, "SELECT entries FROM files WHERE device=? AND chunk=?");
  if (!query.bind(static_cast<std::int64_t>(device)).bind(static_cast<std::int64_t>(chunk)).step()) return {};
  const std::string bytes = query.text(0);
  std::vector<Entry> entries(bytes.size() % sizeof(Entry) == 0 ? bytes.size() / sizeof(Entry) : 0);
  if (!entries.empty()) std::memcpy(entries.data(), bytes.data(), bytes.size());
  return entries;
}

const Entry* find(const std::vector<Entry>& entries, const FileStamp& stamp) {
  for (const auto& entry : entries) {
    if (entry.inode == stamp.inode) {
      const bool same =
          entry.size == stamp.size && entry.mtime_ns == stamp.mtime_ns && entry.ctime_ns == stamp.ctime_ns;
      return same ? &entry : nullptr;
    }
  }
  return nullptr;
}

using Place = std::pair<std::uint64_t, std::uint64_t>;  // device, chunk

Place place_of(const FileStamp& stamp) { return {stamp.device, stamp.inode / k_inodes_a_row}; }

}  // namespace

std::vector<std::optional<Digest>> Store::find_file_digests(std::span<const FileStamp> stamps) {
  std::vector<std::optional<Digest>> out(stamps.size());
  std::map<Place, std::vector<std::size_t>> by_place;
  for (std::size_t i = 0; i < stamps.size(); ++i) by_place[place_of(stamps[i])].push_back(i);
  Transaction transaction(*database_, Transaction::Kind::reading);
  for (const auto& [place, indexes] : by_place) {
    const auto entries = read_row(*database_, place.first, place.second);
    for (const auto i : indexes) {
      if (const auto* entry = find(entries, stamps[i])) out[i] = text(entry->digest);
    }
  }
  transaction.commit();
  return out;
}

void Store::add_file_digests(const std::vector<std::pair<FileStamp, Digest>>& digests) {
  if (digests.empty()) return;
  std::map<Place, std::vector<const std::pair<FileStamp, Digest>*>> by_place;
  for (const auto& item : digests) by_place[place_of(item.first)].push_back(&item);
  Transaction transaction(*database_);
  for (const auto& [place, items] : by_place) {
    auto entries = read_row(*database_, place.first, place.second);
    for (const auto* item : items) {
      const auto& [stamp, digest] = *item;
      std::erase_if(entries, [&](const Entry& old) { return old.inode == stamp.inode; });
      entries.push_back({stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns, raw(digest)});
    }
    Statement(*database_, "INSERT OR REPLACE INTO files VALUES(?,?,?)")
        .bind(static_cast<std::int64_t>(place.first))
        .bind(static_cast<std::int64_t>(place.second))
        .bind(std::string_view(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry)))
        .run();
  }
  transaction.commit();
}

}  // namespace mbuild::cache
