#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cache/store_items.h"

// How `mbuild du` and `mbuild prune` choose and show what the store holds.
namespace mbuild::cli {

// --filter of both: "type=regular", "id~=^ab", "inuse", "until=24h", "shared!=true"; all have to hold. Throws Error
// (usage).
std::function<bool(const cache::StoreItem&)> parse_item_filters(const std::vector<std::string>& filters);

// "90s", "24h", "1h30m", "7d": seconds. Throws Error (usage).
std::int64_t parse_duration(const std::string& text);

std::string age_text(std::int64_t time, std::int64_t now);

// `format`: "table", "pretty" (all that is known of each), "json" (one object a line), or a template with fields of
// the JSON objects: "{{.ID}} {{.Size}}". Throws Error (usage) for one with anything else.
std::string items_text(const std::vector<cache::StoreItem>& items, const std::string& format);

}  // namespace mbuild::cli
