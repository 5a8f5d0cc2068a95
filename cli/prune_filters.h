#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/filters.h"
#include "containers/log_time.h"

// --filter of the commands that remove what nobody uses: until=TIME, label=L and label!=L.
namespace mbuild::cli {

// What has to be known of an item: when it was made (seconds since 1970), and whether a label's text means it.
template <class Item>
struct Prunable {
  std::function<std::int64_t(const Item&)> created;
  std::function<bool(const Item&, const std::string&)> is_labelled;
};

template <class Item>
std::vector<Filter<Item>> prune_filters(const Prunable<Item>& about) {
  using Test = std::function<bool(const Item&)>;
  return {{"until",
           [about](const std::string& text) -> Test {
             const auto limit = containers::parse_log_time("filter until", text, std::chrono::seconds(unix_seconds()));
             return [about, limit](const Item& item) { return std::chrono::seconds(about.created(item)) < limit; };
           },
           true},
          {"label",
           [about](const std::string& text) -> Test {
             return [about, text](const Item& item) { return about.is_labelled(item, text); };
           },
           true},
          {"label!",
           [about](const std::string& text) -> Test {
             return [about, text](const Item& item) { return !about.is_labelled(item, text); };
           },
           true}};
}

}  // namespace mbuild::cli
