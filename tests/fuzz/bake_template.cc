#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluate.h"
#include "bake/hcl/parse.h"

// A template means the same in a heredoc and in JSON, and evaluates to a value or fails with a message.
namespace {

using namespace mbuild::bake::hcl;

std::string escape(const std::string& text) {
  constexpr char k_hex[] = "0123456789abcdef";
  std::string json;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      json += std::string("\\u00") + k_hex[byte >> 4] + k_hex[byte & 15];
    } else {
      json += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
  }
  return json;
}

// Nothing where it is refused.
std::optional<Value> value_of(const File& file, bool evaluated) {
  try {
    return evaluated ? std::optional(evaluate(*file.body.attributes.at(0).expression, {})) : std::nullopt;
  } catch (const Failure&) {
    return std::nullopt;
  }
}

std::optional<File> read(File (*parse)(const std::string&), const std::string& text) {
  try {
    return parse(text);
  } catch (const Failure& failure) {
    if (failure.message.empty()) std::abort();
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = std::string(reinterpret_cast<const char*>(data), size) + "\n";
  if (text.find("EOT") != std::string::npos) return 0;  // might end the heredoc
  const bool evaluated = text.find_first_of("(eE") == std::string::npos && text.find("for") == std::string::npos;
  const auto heredoc =
      read([](const std::string& t) { return parse_native("t.hcl", "t = <<EOT\n" + t + "EOT\n"); }, text);
  const auto json =
      read([](const std::string& t) { return parse_json_form("t.json", "{\"t\": \"" + escape(t) + "\"}", {}); }, text);
  if (heredoc.has_value() != json.has_value()) std::abort();
  if (!heredoc) return 0;
  const auto a = value_of(*heredoc, evaluated);
  const auto b = value_of(*json, evaluated);
  if (a.has_value() != b.has_value() || (a && !equal(*a, *b))) std::abort();
  return 0;
}
