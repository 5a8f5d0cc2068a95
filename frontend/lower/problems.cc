#include "frontend/lower/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace mbuild::frontend::lowering {

void Problems::add(Error error, dockerfile::Range range) {
  const std::string message = error.what();
  const bool known = std::ranges::any_of(problems_, [&](const Problem& problem) {
    return problem.range.first == range.first && problem.error.what() == message;
  });
  if (!known) problems_.push_back({range, std::move(error)});
}

void Problems::throw_if_any(const dockerfile::Dockerfile& file) {
  constexpr std::size_t k_max_told = 20;
  if (problems_.empty()) return;
  std::ranges::stable_sort(problems_, {}, [](const Problem& problem) { return problem.range.first; });
  std::vector<dockerfile::Range> places;
  std::string message;
  for (const auto& [range, error] : problems_) {
    if (places.size() == k_max_told) break;
    message += fmt::format("{}line {}: {}", places.empty() ? "" : "\n", range.first, error.what());
    places.push_back(range);
  }
  if (problems_.size() > k_max_told) message += fmt::format("\nand {} more", problems_.size() - k_max_told);
  auto& first = problems_.front().error;
  if (places.size() > 1) {
    throw Error(first.exit_class, std::move(message)).with_excerpt(dockerfile::excerpt(file, places));
  }
  if (first.excerpt.empty()) first.excerpt = dockerfile::excerpt(file, places);
  throw first;
}

}  // namespace mbuild::frontend::lowering
