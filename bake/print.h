#pragma once

#include <string>

#include "bake/selection.h"
#include "bake/target.h"

// What --print and --list show.
namespace mbuild::bake {

// The selection as a definition in JSON, which can be read again.
std::string print_selection(const Selection& selection);

enum class ListFormat { table, json };
struct ListRequest {
  bool variables = false;  // else targets
  ListFormat format = ListFormat::table;
};
// "targets", "variables", "type=...,format=...". Throws Error (usage).
ListRequest parse_list(const std::string& text);
std::string print_list(const Definition& definition, const ListRequest& request);

}  // namespace mbuild::bake
