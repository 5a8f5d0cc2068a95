#pragma once

#include <optional>
#include <string_view>

namespace mbuild {

// "1 t T TRUE true True 0 f F FALSE false False", the words of docker's programs for yes and no; else nothing.
std::optional<bool> bool_word(std::string_view word);

}  // namespace mbuild
