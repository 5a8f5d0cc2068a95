#pragma once

#include <string>
#include <string_view>

namespace mbuild::history {

// A page in HTML that shows the record of a build, whose text it holds: it asks for nothing from anywhere.
std::string report_page(std::string_view record);

// page.html, in which the record's place is marked.
std::string_view page_template();

}  // namespace mbuild::history
