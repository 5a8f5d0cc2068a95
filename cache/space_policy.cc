#include "cache/space_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::cache {

Amount parse_amount(std::string_view text) {
  const auto trimmed = trim(text);
  if (!trimmed.ends_with('%')) return {.bytes = parse_size(trimmed)};
  const auto digits = trim(trimmed.substr(0, trimmed.size() - 1));
  Amount amount;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), amount.percent);
  if (code != std::errc() || end != digits.data() + digits.size() || amount.percent > 100) {
    throw Error(ExitClass::usage, fmt::format("invalid size: '{}'", text)).with_advice("A share is 0% to 100%.");
  }
  return amount;
}

std::uint64_t in_bytes(const Amount& amount, std::uint64_t file_system_size) {
  return amount.bytes != 0 ? amount.bytes : file_system_size / 100 * amount.percent;
}

std::optional<SpacePolicy> effective_bounds(SpacePolicy policy) {
  if (policy.max_used == 0 && policy.min_free == 0) policy.max_used = policy.reserved;
  return policy.max_used > 0 || policy.min_free > 0 ? std::optional(policy) : std::nullopt;
}

SpacePolicy default_space_policy(std::uint64_t file_system_size) {
  constexpr std::uint64_t k_gigabyte = 1'000'000'000;
  const auto percent = [&](unsigned share) { return file_system_size / 100 * share; };
  return {.max_used = std::min(percent(80), 100 * k_gigabyte),
          .min_free = percent(20),
          .reserved = std::min(percent(10), 10 * k_gigabyte)};
}

}  // namespace mbuild::cache
