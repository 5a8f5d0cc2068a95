#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mbuild::cache {

// A number of bytes, or a share of the file system that holds the store.
struct Amount {
  std::uint64_t bytes = 0;
  unsigned percent = 0;  // of the whole file system; counts where bytes is 0

  bool operator==(const Amount&) const = default;
};

// "20GB", "512m", "15%". Throws Error (usage).
Amount parse_amount(std::string_view text);
std::uint64_t in_bytes(const Amount& amount, std::uint64_t file_system_size);

// How much of the disk the store may have. Zero is "no bound".
struct SpacePolicy {
  std::uint64_t max_used = 0;  // the store is never to hold more than this,
  std::uint64_t min_free = 0;  // and the file system is to keep this much free,
  std::uint64_t reserved = 0;  // but what the store has up to here is not taken from it
};

// The bounds to collect by: what is to be left alone, said alone, is what is to be left. Nothing where nothing is
// bounded.
std::optional<SpacePolicy> effective_bounds(SpacePolicy policy);

// What a store may have when nobody says anything: at most 80 % of the file system and 100 GB; 20 % are to stay free;
// 10 % and at most 10 GB are its own in any case. (BuildKit's policy, so that nobody is surprised.)
SpacePolicy default_space_policy(std::uint64_t file_system_size);

}  // namespace mbuild::cache
