#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/error.h"
#include "frontend/dockerfile/flags.h"
#include "frontend/dockerfile/heredoc.h"
#include "frontend/dockerfile/instruction.h"
#include "frontend/dockerfile/mount.h"
#include "frontend/dockerfile/text.h"

// RUN, COPY and ADD: the instructions with heredocs.
namespace mbuild::frontend::dockerfile {
namespace {

void take_sources(const Arguments& arguments, const std::vector<Heredoc>& heredocs, CopyInstruction& out) {
  std::map<std::string_view, const Heredoc*> bodies;  // of several with one name the last counts
  for (const auto& heredoc : heredocs) bodies[heredoc.name] = &heredoc;
  for (std::size_t i = 0; i + 1 < arguments.words.size(); ++i) {
    const auto& word = arguments.words[i];
    const auto heredoc = parse_heredoc_word(word);
    if (!heredoc) {
      out.sources.push_back({word, std::nullopt});
      continue;
    }
    const auto found = bodies.find(heredoc->name);
    // In JSON form there is no body.
    auto body = found == bodies.end() ? make_heredoc(*heredoc, "") : *found->second;
    out.sources.push_back({"", std::move(body)});
  }
}

}  // namespace

CopyInstruction make_copy(const Arguments& arguments, const std::vector<Heredoc>& heredocs) {
  const auto& words = arguments.words;
  const auto name = arguments.info->name;
  if (words.size() < 2) {
    throw usage_error(fmt::format(
        "{} requires at least two arguments, but only one was provided. Destination could not be determined", name));
  }
  const auto flags = parse_flags(arguments.flags, arguments.info->flags);
  if (parse_heredoc_word(words.back())) {
    throw usage_error(fmt::format("{} cannot accept a heredoc as a destination", name));
  }
  CopyInstruction out;
  out.add = arguments.info->keyword == Keyword::add;
  take_sources(arguments, heredocs, out);
  out.destination = words.back();
  out.from = flags.text("from");
  out.chown = flags.text("chown");
  out.chmod = flags.text("chmod");
  out.checksum = flags.text("checksum");
  out.link = flags.boolean("link").value_or(false);
  out.parents = flags.boolean("parents").value_or(false);
  out.keep_git_dir = flags.boolean("keep-git-dir");
  out.unpack = flags.boolean("unpack");
  out.exclude = flags.list("exclude");
  return out;
}

RunInstruction make_run(const Arguments& arguments, const std::vector<Heredoc>& heredocs) {
  const auto flags = parse_flags(arguments.flags, arguments.info->flags);
  RunInstruction out;
  out.command = make_command(arguments);
  out.command.heredocs = heredocs;
  out.mounts = flags.list("mount");
  out.devices = flags.list("device");
  out.network = flags.text("network");
  out.security = flags.text("security");
  for (const auto& mount : out.mounts) mount_from(mount);
  for (const auto& device : out.devices) parse_device(device);
  if (flags.has("network") && out.network != "default" && out.network != "none" && out.network != "host") {
    throw usage_error(fmt::format("invalid network mode {}", quote(out.network)));
  }
  if (flags.has("security") && out.security != "sandbox" && out.security != "insecure") {
    throw usage_error(fmt::format("security {} is not valid", quote(out.security)));
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
