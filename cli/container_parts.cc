#include "cli/container_parts.h"

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <optional>

#include "base/error.h"
#include "base/parallel.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "containers/control_group.h"
#include "containers/option_values.h"
#include "containers/process.h"

namespace mbuild::cli {

int with_each(const containers::Shelf& shelf, const std::vector<std::string>& names,
              const std::function<void(const containers::Container&)>& work) {
  return for_each_name(names, [&](const std::string& word) {
    work(shelf.find(word));
    print("{}\n", word);
  });
}

int with_all(const containers::Shelf& shelf, const std::vector<std::string>& names,
             const std::function<void(const containers::Container&)>& first,
             const std::function<void(const containers::Container&)>& then) {
  constexpr unsigned k_most = 50;  // threads, which mostly wait
  struct One {
    std::optional<containers::Container> container = {};
    std::exception_ptr failure = {};
  };
  std::vector<One> all(names.size());
  executor::parallel_for(names.size(), k_most, [&](std::size_t i) {
    try {
      first(all[i].container.emplace(shelf.find(names[i])));
    } catch (...) {
      all[i].failure = std::current_exception();
    }
  });
  std::size_t next = 0;
  return for_each_name(names, [&](const std::string& word) {
    const auto& one = all[next++];
    if (one.failure) std::rethrow_exception(one.failure);
    then(*one.container);
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

void check_stop(const std::string& time, const std::string& signal) {
  containers::parse_stop_timeout("--time", time);
  if (!signal.empty()) containers::signal_number(signal);
}

double seconds_of(const std::string& text, const containers::Container& container) {
  constexpr std::int64_t k_usual = 10;
  const auto asked = containers::parse_stop_timeout("--time", text);
  return static_cast<double>(asked.value_or(container.record.options.ending.seconds.value_or(k_usual)));
}

void warn_of_limits(const containers::Options& options) {
  if (const auto text = containers::unkept_limits(options.limits); !text.empty()) say("WARNING: {}\n", text);
}

}  // namespace mbuild::cli
