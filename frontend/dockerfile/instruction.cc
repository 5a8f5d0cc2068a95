#include "frontend/dockerfile/instruction.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

void need_one(const Arguments& arguments) {
  if (arguments.words.size() != 1) {
    throw usage_error(fmt::format("{} requires exactly one argument", arguments.info->name));
  }
}

void need_some(const Arguments& arguments) {
  if (arguments.words.empty() && arguments.pairs.empty()) {
    throw usage_error(fmt::format("{} requires at least one argument", arguments.info->name));
  }
}

FlagValues flags_of(const Arguments& arguments) { return parse_flags(arguments.flags, arguments.info->flags); }

bool is_stage_name(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && is_letter(name[0]) && std::ranges::all_of(name, [&](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

FromInstruction make_from(const Arguments& arguments) {
  FromInstruction out;
  const auto& words = arguments.words;
  if (words.size() == 3 && iequals(words[1], "as")) {
    out.name = to_lower(words[2]);
    out.name_as_written = words[2];
    out.as_keyword = words[1];
    if (!is_stage_name(out.name)) {
      throw usage_error(fmt::format(
          "invalid name for build stage: {}, name can't start with a number or contain symbols", quote(words[2])));
    }
  } else if (words.size() != 1) {
    throw usage_error("FROM requires either one or three arguments");
  }
  out.platform = flags_of(arguments).text("platform");
  out.base = words[0];
  return out;
}

ArgInstruction make_arg(const Arguments& arguments) {
  need_some(arguments);
  ArgInstruction out;
  for (const auto& word : arguments.words) {
    const auto equals = word.find('=');
    if (equals == 0) throw usage_error("ARG names can not be blank");
    out.args.push_back({word.substr(0, equals), std::nullopt});
    if (equals != std::string::npos) out.args.back().value = word.substr(equals + 1);
  }
  return out;
}

// ENV and LABEL.
const std::vector<KeyValue>& checked_pairs(const Arguments& arguments) {
  flags_of(arguments);
  need_some(arguments);
  for (const auto& pair : arguments.pairs) {
    if (pair.key.empty()) throw usage_error(fmt::format("{} names can not be blank", arguments.info->name));
  }
  return arguments.pairs;
}

const std::string& single_word(const Arguments& arguments) {
  need_one(arguments);
  if (arguments.info->checks_flags) flags_of(arguments);
  return arguments.words[0];
}

Command plain_command(const Arguments& arguments) {
  flags_of(arguments);
  return make_command(arguments);
}

ShellInstruction make_shell(const Arguments& arguments) {
  flags_of(arguments);
  need_some(arguments);
  if (!arguments.json) throw usage_error("SHELL requires the arguments to be in JSON form");
  return {arguments.words};
}

ExposeInstruction make_expose(const Arguments& arguments) {
  need_some(arguments);
  flags_of(arguments);
  return {arguments.words};
}

VolumeInstruction make_volume(const Arguments& arguments) {
  need_some(arguments);
  flags_of(arguments);
  VolumeInstruction out;
  for (const auto& word : arguments.words) {
    out.paths.emplace_back(trim_space(word));
    if (out.paths.back().empty()) throw usage_error("VOLUME specified can not be an empty string");
  }
  return out;
}

// The payload is kept as it stands, bodies of heredocs included, to be read again when it fires.
OnBuildInstruction make_on_build(const Arguments& arguments, std::string_view text,
                                 const std::vector<Heredoc>& heredocs) {
  need_some(arguments);
  flags_of(arguments);
  const auto trigger = to_upper(arguments.words[0]);
  if (trigger == "ONBUILD") throw usage_error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger == "MAINTAINER" || trigger == "FROM") {
    throw usage_error(fmt::format("{} isn't allowed as an ONBUILD trigger", trigger));
  }
  text = trim_left(text);
  text.remove_prefix(arguments.keyword.size());
  OnBuildInstruction out{std::string(trim_left(text))};
  for (const auto& heredoc : heredocs) out.text += fmt::format("\n{}{}", heredoc.raw, heredoc.name);
  return out;
}

}  // namespace

Command make_command(const Arguments& arguments, std::size_t first) {
  Command out;
  out.exec_form = arguments.json;
  out.words.assign(arguments.words.begin() + static_cast<std::ptrdiff_t>(first), arguments.words.end());
  if (!out.exec_form && out.words.empty()) out.words.emplace_back();
  return out;
}

InstructionBody make_body(const Arguments& arguments, std::string_view text, const std::vector<Heredoc>& heredocs) {
  if (arguments.info == nullptr) {
    const auto shown = arguments.keyword.size() > 100 ? arguments.keyword.substr(0, 100) + "..." : arguments.keyword;
    throw usage_error(fmt::format("unknown instruction: {}{}", shown, suggest_instruction(arguments.keyword)));
  }
  switch (arguments.info->keyword) {
    case Keyword::add:
    case Keyword::copy:
      return make_copy(arguments, heredocs);
    case Keyword::arg:
      return make_arg(arguments);
    case Keyword::cmd:
      return CmdInstruction{plain_command(arguments)};
    case Keyword::entrypoint:
      return EntrypointInstruction{plain_command(arguments)};
    case Keyword::env:
      return EnvInstruction{checked_pairs(arguments), arguments.legacy};
    case Keyword::expose:
      return make_expose(arguments);
    case Keyword::from:
      return make_from(arguments);
    case Keyword::healthcheck:
      return make_health_check(arguments);
    case Keyword::label:
      return LabelInstruction{checked_pairs(arguments), arguments.legacy};
    case Keyword::maintainer:
      return MaintainerInstruction{single_word(arguments)};
    case Keyword::onbuild:
      return make_on_build(arguments, text, heredocs);
    case Keyword::run:
      return make_run(arguments, heredocs);
    case Keyword::shell:
      return make_shell(arguments);
    case Keyword::stopsignal:
      return StopSignalInstruction{single_word(arguments)};
    case Keyword::user:
      return UserInstruction{single_word(arguments)};
    case Keyword::volume:
      return make_volume(arguments);
    case Keyword::workdir:
      return WorkdirInstruction{single_word(arguments)};
  }
  throw Error(ExitClass::internal, "an instruction of the table has no parser");
}

}  // namespace mbuild::frontend::dockerfile
