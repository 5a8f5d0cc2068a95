#include "cli/container_parts.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "containers/control_group.h"

namespace mbuild::cli {

int with_each(const containers::Shelf& shelf, const std::vector<std::string>& names,
              const std::function<void(const containers::Container&)>& work) {
  return for_each_name(names, [&](const std::string& word) {
    work(shelf.find(word));
    print("{}\n", word);
  });
}

int for_each_name(const std::vector<std::string>& names, const std::function<void(const std::string&)>& work) {
  int status = 0;
  for (const auto& word : names) {
    try {
      work(word);
    } catch (const Error& error) {
      print_error(error);
      status = 1;
    }
  }
  return status;
}

double seconds_of(const std::string& text) {
  double out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return out;
  throw usage_error(fmt::format("invalid --time \"{}\"", text)).with_advice("It is a number of seconds; -1 waits on.");
}

void warn_of_limits(const containers::Options& options) {
  if (const auto text = containers::unkept_limits(options.limits); !text.empty()) say("WARNING: {}\n", text);
}

}  // namespace mbuild::cli
