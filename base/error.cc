#include "base/error.h"

#include <fmt/format.h>

#include <system_error>

namespace mbuild {

Error& Error::with_context(std::string text) & {
  full_ = text + ": " + what();
  context.push_back(std::move(text));
  return *this;
}

Error&& Error::with_context(std::string text) && {
  static_cast<Error&>(*this).with_context(std::move(text));
  return std::move(*this);
}

Error&& Error::with_advice(std::string text) && {
  advice = std::move(text);
  return std::move(*this);
}

Error&& Error::with_excerpt(std::string text) && {
  excerpt = std::move(text);
  return std::move(*this);
}

Error system_error(int code, std::string_view operation, ExitClass exit_class) {
  return Error(exit_class, fmt::format("{}: {}", operation, std::generic_category().message(code)));
}

}  // namespace mbuild
