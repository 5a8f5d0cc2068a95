#include <algorithm>
#include <cctype>
#include <iterator>

#include "bake/hcl/convert.h"
#include "bake/hcl/csv.h"
#include "bake/hcl/functions/table.h"
#include "bake/hcl/json.h"
#include "bake/hcl/text.h"
#include "base/base64.h"

namespace mbuild::bake::hcl {

namespace {

Value base64decode(Arguments arguments) {
  const auto bytes = decode_base64(as_string(arguments[0]));
  if (!bytes) {
    throw CallError("this is no base64", 0);
  }
  if (!is_utf8(*bytes)) {
    throw CallError("the result of decoding is no UTF-8, as a string has to be", 0);
  }
  return text_value(*bytes);
}

// As in the query of a URL.
std::string urlencode(std::string_view text) {
  constexpr std::string_view k_hex = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || std::string_view("-_.~").find(c) != std::string_view::npos) {
      result += c;
    } else if (c == ' ') {
      result += '+';
    } else {
      result += {'%', k_hex[byte >> 4], k_hex[byte & 15]};
    }
  }
  return result;
}

using Record = std::vector<std::string>;

Value row_value(const Record& names, const Record& record) {
  if (record.size() != names.size()) {
    throw CallError("a row has more or fewer fields than the first, which names the columns", 0);
  }
  Members row;
  for (std::size_t i = 0; i < names.size(); ++i) {
    row.insert_or_assign(normalise(names[i]), text_value(record[i]));
  }
  if (row.size() != names.size()) {
    throw CallError("two columns have one name", 0);
  }
  return object_value(std::move(row));
}

Value csvdecode(Arguments arguments) {
  const auto records = parse_csv(as_string(arguments[0]));
  if (records.empty()) {
    throw CallError("the first row, which names the columns, is missing", 0);
  }
  const Type row = row_value(records[0], records[0]).type;
  Elements rows;
  std::transform(records.begin() + 1, records.end(), std::back_inserter(rows),
                 [&](const Record& record) { return row_value(records[0], record); });
  return list_value(row, std::move(rows));
}

}  // namespace

void add_encodings(Table& table) {
  define(table, "base64encode", {text("str")},
         [](Arguments arguments) { return string_value(encode_base64(as_string(arguments[0]))); });
  define(table, "base64decode", {text("str")}, base64decode);
  define(table, "urlencode", {text("str")},
         [](Arguments arguments) { return string_value(urlencode(as_string(arguments[0]))); });
  define(table, "jsonencode", {any_or_null("val")},
         [](Arguments arguments) { return text_value(to_json(arguments[0])); });
  define(table, "jsondecode", {text("str")}, [](Arguments arguments) { return from_json(as_string(arguments[0])); });
  define(table, "csvdecode", {text("str")}, csvdecode);
}

}  // namespace mbuild::bake::hcl
