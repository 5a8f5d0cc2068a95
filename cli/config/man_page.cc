#include <fmt/format.h>

#include "base/strings.h"
#include "cli/config/help.h"
#include "cli/config/version.h"

namespace mbuild::cli {
namespace {

// As roff takes it: backslashes and hyphens are themselves, and no line is a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

void add_options(const CommandAbout& command, std::string& out) {
  for (const auto& option : command.options) {
    out += ".TP\n";
    if (option.positional) {
      out += fmt::format("\\fI{}\\fR{}\n", roff(option.placeholder), option.several ? " ..." : "");
    } else {
      out += fmt::format("\\fB{}\\fR{}\n", roff(join(option.names, ", ")),
                         option.placeholder.empty() ? "" : " \\fI" + roff(option.placeholder) + "\\fR");
    }
    out += roff(option.help) + "\n";
  }
}

void add_examples(const CommandAbout& command, std::string& out) {
  for (const auto& example : command.examples) {
    out += fmt::format(".PP\n.nf\n.RS\n{}\n.RE\n.fi\n.PP\n{}\n", roff(example.command), roff(example.meaning));
  }
}

void add_commands(const CommandAbout& command, std::string& out) {
  for (const auto& sub : command.commands) {
    out += fmt::format(".SH \"{}\"\n\\fB{}\\fR{}\n.PP\n{}\n", to_upper(roff(sub.name)), roff(sub.name),
                       roff(usage_words(sub)), roff(sub.help));
    add_examples(sub, out);
    add_options(sub, out);
    add_commands(sub, out);
  }
}

}  // namespace

std::string man_page(const CommandAbout& command) {
  std::string title = command.name;
  for (char& c : title) c = c == ' ' ? '-' : c;
  std::string out = fmt::format(".TH \"{}\" 1 \"\" \"mbuild {}\" \"mbuild\"\n", to_upper(title), k_version);
  const auto first = command.help.substr(0, command.help.find('\n'));
  out += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n\\fB{}\\fR{}\n.SH DESCRIPTION\n", roff(title), roff(first),
                     roff(command.name), roff(usage_words(command)));
  for (const auto& paragraph : split(command.help, '\n')) out += roff(paragraph) + "\n.br\n";
  if (!command.examples.empty()) out += ".SH EXAMPLES\n";
  add_examples(command, out);
  if (!command.options.empty()) out += ".SH OPTIONS\n";
  add_options(command, out);
  add_commands(command, out);
  return out;
}

}  // namespace mbuild::cli
