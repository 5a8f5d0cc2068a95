#include "worker/native/loader_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace mbuild::executor {
namespace {

#if defined(__aarch64__)
constexpr std::int32_t k_flags = 0x0a03;  // FLAG_AARCH64_LIB64 | FLAG_ELF_LIBC6
#else
constexpr std::int32_t k_flags = 0x0303;  // FLAG_X8664_LIB64 | FLAG_ELF_LIBC6
#endif
constexpr std::uint8_t k_little_endian = 2;

struct Header {
  char magic[20] = {'g', 'l', 'i', 'b', 'c', '-', 'l', 'd', '.', 's', 'o', '.', 'c', 'a', 'c', 'h', 'e', '1', '.', '1'};
  std::uint32_t entries = 0, string_bytes = 0;
  std::uint8_t flags = k_little_endian, padding[3] = {};
  std::uint32_t extensions = 0, unused[3] = {};
};
static_assert(sizeof(Header) == 48);

struct Entry {
  std::int32_t flags = k_flags;
  std::uint32_t key = 0, value = 0, os_version = 0;
  std::uint64_t hwcap = 0;
};
static_assert(sizeof(Entry) == 24);

bool is_decimal(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

std::uint64_t take_number(std::string_view& text) {
  std::uint64_t out = 0;
  for (; !text.empty() && is_decimal(text.front()); text.remove_prefix(1)) {
    out = out * 10 + static_cast<std::uint64_t>(text.front() - '0');
  }
  return out;
}

// The order in which the loader searches: numbers in names by their value.
int compare(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const bool number_a = is_decimal(a.front()), number_b = is_decimal(b.front());
    if (number_a != number_b) return number_a ? 1 : -1;
    if (number_a) {
      const auto x = take_number(a), y = take_number(b);
      if (x != y) return x < y ? -1 : 1;
    } else if (a.front() != b.front()) {
      return a.front() < b.front() ? -1 : 1;
    } else {
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

template <class T>
std::string bytes_of(const T& value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

}  // namespace

std::string loader_cache(const std::map<std::string, std::string>& libraries) {
  std::vector<std::pair<std::string, std::string>> sorted(libraries.begin(), libraries.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) { return compare(a.first, b.first) > 0; });
  const std::size_t strings_at = sizeof(Header) + sorted.size() * sizeof(Entry);
  std::string strings, entries;
  const auto add = [&](const std::string& text) {
    const auto at = static_cast<std::uint32_t>(strings_at + strings.size());
    strings += text + '\0';
    return at;
  };
  for (const auto& [name, path] : sorted) {
    Entry entry;
    entry.key = add(name);
    entry.value = add(path);
    entries += bytes_of(entry);
  }
  Header header;
  header.entries = static_cast<std::uint32_t>(sorted.size());
  header.string_bytes = static_cast<std::uint32_t>(strings.size());
  return bytes_of(header) + entries + strings;
}

}  // namespace mbuild::executor
