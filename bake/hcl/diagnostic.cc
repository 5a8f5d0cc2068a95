#include "bake/hcl/diagnostic.h"

namespace mbuild::bake::hcl {

namespace {

std::string message_of(const Diagnostic& diagnostic) {
  std::string text = describe(diagnostic.range);
  text += text.empty() ? "" : ": ";
  text += diagnostic.summary;
  if (!diagnostic.detail.empty()) {
    text += "; " + diagnostic.detail;
  }
  return text;
}

}  // namespace

Failure::Failure(Diagnostic what_is_wrong)
    : Error(ExitClass::usage, message_of(what_is_wrong)), diagnostic(std::move(what_is_wrong)) {
  excerpt = hcl::excerpt(diagnostic.range);
}

void fail(const Range& range, std::string summary, std::string detail) {
  throw Failure({range, std::move(summary), std::move(detail)});
}

}  // namespace mbuild::bake::hcl
