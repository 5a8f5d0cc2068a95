#include "frontend/dockerfile/arguments.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

// RUN, CMD, ENTRYPOINT, SHELL: a JSON array or one text.
void take_command(std::string_view rest, Arguments& out) {
  if (rest.empty()) return;
  if (auto words = parse_json_words(rest)) {
    out.json = true;
    for (auto& word : *words) out.words.push_back(std::move(word));
  } else {
    out.words.emplace_back(rest);
  }
}

// ADD, COPY, VOLUME: a JSON array or words.
void take_list(std::string_view rest, Arguments& out) {
  if (auto words = parse_json_words(rest)) {
    out.json = true;
    out.words = *std::move(words);
  } else {
    out.words = split_blanks(rest);
  }
}

void take_whole(std::string_view rest, Arguments& out) {
  if (!rest.empty()) out.words.emplace_back(rest);
}

void take_health_check(std::string_view rest, Arguments& out) {
  std::size_t end = 0;
  while (end < rest.size() && space_length(rest, end) == 0) ++end;
  if (end == 0) return;
  out.words.emplace_back(rest.substr(0, end));
  take_command(trim_left(rest.substr(end)), out);
}

KeyValue split_pair(std::string_view word) {
  const auto equals = word.find('=');
  return {std::string(word.substr(0, equals)), std::string(word.substr(equals + 1))};
}

// ENV, LABEL: the first word decides between KEY=VALUE words and KEY, then the rest as value.
void take_pairs(std::string_view rest, char escape, Arguments& out) {
  const auto words = split_quoted(rest, escape);
  if (words.empty()) return;
  if (words[0].find('=') == std::string::npos) {
    std::size_t end = 0;
    while (end < rest.size() && !is_blank(rest[end])) ++end;
    std::size_t value = end;
    while (value < rest.size() && is_blank(rest[value])) ++value;
    if (value == end) throw Error(ExitClass::usage, fmt::format("{} must have two arguments", out.info->name));
    out.legacy = true;
    out.pairs.push_back({std::string(rest.substr(0, end)), std::string(rest.substr(value))});
    return;
  }
  for (const auto& word : words) {
    if (word.find('=') == std::string::npos) {
      throw Error(ExitClass::usage,
                  fmt::format("Syntax error - can't find = in {}. Must be of the form: name=value", quote(word)));
    }
    out.pairs.push_back(split_pair(word));
  }
}

// ONBUILD: the payload's keyword; its arguments must be well-formed, unless it is refused anyway.
void take_trigger(std::string_view rest, char escape, Arguments& out) {
  if (rest.empty()) return;
  out.words.emplace_back(first_word(rest));
  const auto* inner = find_instruction(out.words[0]);
  if (inner != nullptr && inner->keyword != Keyword::onbuild) parse_arguments(rest, escape);
}

}  // namespace

Arguments parse_arguments(std::string_view line, char escape) {
  auto split = split_line(line, escape);
  Arguments out;
  out.info = find_instruction(split.keyword);
  out.keyword = std::move(split.keyword);
  out.flags = std::move(split.flags);
  if (out.info == nullptr) return out;
  switch (out.info->keyword) {
    case Keyword::add:
    case Keyword::copy:
    case Keyword::volume:
      take_list(split.rest, out);
      break;
    case Keyword::cmd:
    case Keyword::entrypoint:
    case Keyword::run:
    case Keyword::shell:
      take_command(split.rest, out);
      break;
    case Keyword::expose:
    case Keyword::from:
      out.words = split_blanks(split.rest);
      break;
    case Keyword::maintainer:
    case Keyword::stopsignal:
    case Keyword::user:
    case Keyword::workdir:
      take_whole(split.rest, out);
      break;
    case Keyword::arg:
      out.words = split_quoted(split.rest, escape);
      break;
    case Keyword::env:
    case Keyword::label:
      take_pairs(split.rest, escape, out);
      break;
    case Keyword::healthcheck:
      take_health_check(split.rest, out);
      break;
    case Keyword::onbuild:
      take_trigger(split.rest, escape, out);
      break;
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
