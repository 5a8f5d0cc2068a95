#include "history/page.h"

#include "base/error.h"

namespace mbuild::history {
namespace {

constexpr std::string_view k_place = "@RECORD@";

// JSON has "<" in strings only, and a page must not take one for markup.
void add_escaped(std::string_view record, std::string& page) {
  for (const char c : record) {
    if (c == '<') {
      page += "\\u003c";
    } else {
      page += c;
    }
  }
}

}  // namespace

std::string report_page(std::string_view record) {
  const auto whole = page_template();
  const auto place = whole.find(k_place);
  if (place == std::string_view::npos) throw Error(ExitClass::internal, "the page of a report has no place for it");
  std::string page(whole.substr(0, place));
  page.reserve(whole.size() + record.size() + record.size() / 8);
  add_escaped(record, page);
  page += whole.substr(place + k_place.size());
  return page;
}

}  // namespace mbuild::history
