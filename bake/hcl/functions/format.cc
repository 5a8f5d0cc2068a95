#include <fmt/format.h>

#include <algorithm>

#include "bake/hcl/convert.h"
#include "bake/hcl/functions/format_verb.h"
#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

// One verb with the argument that is its turn; `next` counts arguments from 0, `used` how many were reached.
std::string take_verb(std::string_view& format, Arguments arguments, std::size_t& next, std::size_t& used) {
  const FormatVerb verb = parse_verb(format);
  format.remove_prefix(verb.text.size());
  if (verb.argument) {
    next = *verb.argument - 1;
  }
  if (next >= arguments.size()) {
    throw CallError(fmt::format("not enough arguments for \"{}\": it wants argument {}, and there are {}", verb.text,
                                next + 1, arguments.size()),
                    0);
  }
  used = std::max(used, next + 1);
  try {
    return format_value(verb, arguments[next++]);
  } catch (const ConversionError& error) {
    throw CallError(fmt::format("unsupported value for \"{}\": {}", verb.text, error.message));
  }
}

std::string format_text(std::string_view format, Arguments arguments) {
  std::string result;
  std::size_t next = 0;
  std::size_t used = 0;
  while (!format.empty()) {
    const std::size_t percent = format.find('%');
    result += format.substr(0, percent);
    format.remove_prefix(std::min(percent, format.size()));
    if (format.starts_with("%%")) {
      result += '%';
      format.remove_prefix(2);
    } else if (!format.empty()) {
      result += take_verb(format, arguments, next, used);
    }
  }
  if (used < arguments.size()) {
    throw CallError(fmt::format("too many arguments: the format uses {} of {}", used, arguments.size()));
  }
  return result;
}

// How many times the lists among the arguments have it done; nothing where there is no list.
std::optional<std::size_t> rounds_of(Arguments arguments) {
  std::optional<std::size_t> rounds;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].is_null() || !is_sequence(arguments[i].type)) {
      continue;
    }
    const std::size_t size = length(arguments[i]);
    if (rounds && *rounds != size) {
      throw CallError(
          fmt::format("lists of one length are required, but here are {} elements and there {}", size, *rounds), i + 1);
    }
    rounds = size;
  }
  return rounds;
}

Value formatlist(Arguments all) {
  const Arguments arguments = all.subspan(1);
  const auto rounds = rounds_of(arguments);
  Elements results;
  for (std::size_t round = 0; round < rounds.value_or(1); ++round) {
    Elements row;
    for (const Value& argument : arguments) {
      row.push_back(!argument.is_null() && is_sequence(argument.type) ? elements(argument)[round] : argument);
    }
    results.push_back(text_value(format_text(as_string(all[0]), row)));
  }
  return list_value(string_type(), std::move(results));
}

}  // namespace

void add_format(Table& table) {
  define_variadic(table, "format", {text("format")}, any_or_null("args"), [](Arguments arguments) {
    return text_value(format_text(as_string(arguments[0]), arguments.subspan(1)));
  });
  define_variadic(table, "formatlist", {text("format")}, any_or_null("args"), formatlist);
}

}  // namespace mbuild::bake::hcl
