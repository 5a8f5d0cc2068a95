#include "base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace mbuild {
namespace {

// Limits that whoever started this process set, of which the bare text of the code says nothing.
const char* advice_for(int code) {
  switch (code) {
    case EMFILE:
      return "The limit on open files of this process is too low: `ulimit -n 1024` raises it.";
    case EFBIG:
      return "`ulimit -f` bounds the size of files that this process writes: `ulimit -f unlimited` lifts it.";
    default:
      return "";
  }
}

}  // namespace

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
  Error error(exit_class, fmt::format("{}: {}", operation, std::generic_category().message(code)));
  error.advice = advice_for(code);
  error.code = code;
  return error;
}

bool is_out_of_space(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT; }

}  // namespace mbuild
