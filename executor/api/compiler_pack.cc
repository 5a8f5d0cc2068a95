#include "executor/api/compiler_pack.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

// Repositories have tags of letters, digits and "._-".
std::string in_tag(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

// "14.2.0-19" of "14.2.0-19+b1": the same source, built once more for one platform.
std::string_view without_rebuild(std::string_view version) {
  const auto at = version.rfind("+b");
  if (at == version.npos || at + 2 == version.size()) return version;
  return version.find_first_not_of("0123456789", at + 2) == version.npos ? version.substr(0, at) : version;
}

}  // namespace

PackFacts parse_pack_facts(std::string_view text) {
  PackFacts facts;
  for (const auto& line : split(text, '\n')) {
    const auto words = split(std::string_view(line), ' ');
    if (words.size() == 2 && words[0] == "platform") facts.platform = words[1];
    if (words.size() == 2 && words[0] == "base") facts.base = words[1];
    if (words.size() != 3) continue;
    if (words[0] == "package") facts.packages.emplace_back(words[1], words[2]);
    if (words[0] == "program") facts.programs[words[2]] = words[1];
    if (words[0] == "replaces") facts.replaces[words[2]] = words[1];
  }
  return facts;
}

std::string pack_tag(const platforms::Platform& host, const platforms::Platform& target, std::string_view base) {
  constexpr std::size_t k_longest = 128;
  if (base.empty()) return "";
  const auto tag = fmt::format("{}-on-{}-{}", target.arch, host.arch, in_tag(without_rebuild(base)));
  return tag.size() <= k_longest ? tag : "";
}

std::string pack_triplet(const platforms::Platform& platform) {
  return platform.os == "linux" && platform.arch == "arm64" ? "aarch64-linux-gnu" : "";
}

std::map<std::string, std::string> pack_annotations(const PackFacts& facts) {
  const auto lines = [](const auto& pairs, auto&& text) {
    std::string out;
    for (const auto& pair : pairs) out += (out.empty() ? "" : "\n") + text(pair);
    return out;
  };
  const auto digest = [](const auto& pair) { return fmt::format("sha256:{} {}", pair.second, pair.first); };
  std::map<std::string, std::string> out = {
      {std::string(k_pack_tag_annotation),
       pack_tag(platforms::host_platform(), platforms::parse_platform_list(facts.platform).front(), facts.base)},
      {std::string(k_pack_platform_annotation), facts.platform},
      {std::string(k_pack_packages_annotation),
       lines(facts.packages, [](const auto& pair) { return pair.first + " " + pair.second; })},
      {"vnd.mbuild.compiler-pack.programs", lines(facts.programs, digest)}};
  if (!facts.replaces.empty()) out["vnd.mbuild.compiler-pack.replaces"] = lines(facts.replaces, digest);
  return out;
}

bool is_pack_directory(std::string_view place) {
  return place.starts_with('/') || place.starts_with('.') || place.starts_with("oci-layout:");
}

void check_pack_place(const std::string& place) {
  constexpr const char* k_advice = "It is a repository (HOST/NAME, no tag) or the path of a directory (/DIR, ./DIR).";
  if (is_pack_directory(place)) return;
  try {
    const auto reference = frontend::parse_reference(place);
    if (reference.tag.empty() && reference.digest.empty()) return;
  } catch (Error& error) {
    throw std::move(error).with_context("place of compiler packs \"" + place + "\"").with_advice(k_advice);
  }
  throw usage_error(fmt::format("a place of compiler packs has no tag: \"{}\"", place)).with_advice(k_advice);
}

}  // namespace mbuild::executor
