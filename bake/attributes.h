#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bake/target.h"

// The one table of what attributes a target has. Decoding, merging, overriding, referring and printing go by it.
namespace mbuild::bake {

enum class Shape { text, flag, texts, pairs, entries };

// What becomes of a value where a later one is merged over it.
enum class Merge {
  replace,      // it is gone
  by_key,       // it keeps the keys that the later one has not
  append,       // it is followed by the later one, equal ones counting once
  append_all,   // it is followed by the later one
  by_identity,  // entries that are of one identity (identity_of) are replaced in their place
};

// How --set changes it.
enum class Setting {
  none,
  one,      // KEY=VALUE
  list,     // KEY=VALUE for each; replaces what is there but with +=
  added,    // KEY=VALUE for each; is merged over what is there
  by_name,  // KEY.NAME=VALUE
};

struct AttributeRow {
  Attribute attribute;
  std::string_view name;
  Shape shape;
  Merge merge;
  Setting setting;
  std::string_view set_key;  // of --set
  bool escaped = false;      // "${" and "%{" in its values are doubled where it is printed
  bool distinct = false;     // "" and what is there twice go at the end
};

// In the order of Attribute.
std::span<const AttributeRow> attribute_rows();
const AttributeRow& row_of(Attribute attribute);
// Null where there is none.
const AttributeRow* find_row(std::string_view name);
const AttributeRow* find_row_of_set_key(std::string_view key);
// With "matrix" and "name", for suggestions.
std::vector<std::string> attribute_names();

// Puts what `later` has set over what is there.
void merge(Target& into, const Target& later);
void merge_value(const AttributeRow& row, AttributeValue& into, const AttributeValue& later);

// Drops "" and all but the first of equal ones.
void make_distinct(Texts& texts);

}  // namespace mbuild::bake
