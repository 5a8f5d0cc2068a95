#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mbuild {

// The standard alphabet, padded.
std::string encode_base64(std::string_view bytes);
// Line ends are skipped; nothing for what is no padded base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace mbuild
