#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

// What commands show of the things that they list: a table, a JSON object a line, or a template, as docker has them.
namespace mbuild::cli {

struct Listing {
  struct Field {
    const char* name;   // of the rows
    const char* title;  // of its column; "": it is for templates alone
  };
  std::vector<Field> fields;
  std::string table;  // the usual one, as a format: "table {{.ID}}\t{{.Names}}"
  std::string quiet;  // the field that --quiet prints
};

struct ListingChoice {
  std::string format;  // "", "table", "table TEMPLATE", "json" or a template; "\t" and "\n" may be written so
  bool quiet = false;
};

// `rows` are objects of texts (or of an object that a template takes a member of). Throws Error (usage) where the
// format is wrong, or has a field that the rows have not.
std::string listing_text(const Listing& listing, const std::vector<nlohmann::ordered_json>& rows,
                         const ListingChoice& how);

}  // namespace mbuild::cli
