#include "bake/hcl/csv.h"

#include "bake/hcl/convert.h"

namespace mbuild::bake::hcl {

namespace {

struct CsvReader {
  std::string_view rest;
  char separator;
};

// Takes a line's end, if that is what comes next.
bool take_line_end(CsvReader& reader) {
  if (reader.rest.starts_with("\r\n")) {
    reader.rest.remove_prefix(2);
  } else if (reader.rest.starts_with('\n')) {
    reader.rest.remove_prefix(1);
  } else {
    return false;
  }
  return true;
}

std::string take_quoted(CsvReader& reader) {
  std::string field;
  reader.rest.remove_prefix(1);
  while (true) {
    if (reader.rest.empty()) {
      throw ConversionError("a quote in a CSV record is not closed");
    }
    if (reader.rest.starts_with("\"\"")) {
      field += '"';
      reader.rest.remove_prefix(2);
    } else if (reader.rest[0] == '"') {
      reader.rest.remove_prefix(1);
      break;
    } else if (take_line_end(reader)) {
      field += '\n';
    } else {
      field += reader.rest[0];
      reader.rest.remove_prefix(1);
    }
  }
  const bool ends = reader.rest.empty() || reader.rest[0] == reader.separator || reader.rest[0] == '\n' ||
                    reader.rest.starts_with("\r\n");
  if (!ends) {
    throw ConversionError("in a CSV record, something follows the quote that closes a field");
  }
  return field;
}

std::string take_field(CsvReader& reader) {
  if (reader.rest.starts_with('"')) {
    return take_quoted(reader);
  }
  std::string field;
  while (!reader.rest.empty() && reader.rest[0] != reader.separator && reader.rest[0] != '\n' &&
         !reader.rest.starts_with("\r\n")) {
    if (reader.rest[0] == '"') {
      throw ConversionError("a quote stands within a CSV field that does not begin with one");
    }
    field += reader.rest[0];
    reader.rest.remove_prefix(1);
  }
  return field;
}

std::vector<std::string> take_record(CsvReader& reader) {
  std::vector<std::string> record{take_field(reader)};
  while (!reader.rest.empty() && !take_line_end(reader)) {
    reader.rest.remove_prefix(1);  // the separator
    record.push_back(take_field(reader));
  }
  return record;
}

}  // namespace

std::vector<std::vector<std::string>> parse_csv(std::string_view text, char separator) {
  CsvReader reader{text, separator};
  std::vector<std::vector<std::string>> records;
  while (!reader.rest.empty()) {
    if (!take_line_end(reader)) {
      records.push_back(take_record(reader));
    }
  }
  return records;
}

}  // namespace mbuild::bake::hcl
