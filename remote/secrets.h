#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "remote/http.h"

namespace mbuild::remote {

// What a request says that nobody else is to read: the values of its Authorization header in all forms in which an
// answer may repeat them, and `more`.
std::vector<std::string> secrets_of(const Headers& headers, const std::vector<std::string>& more = {});
// `text` with "<hidden>" for each of them.
std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

}  // namespace mbuild::remote
