// Any bytes as what a server may send in its headers: challenges, dates, file names, locations.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/percent_decode.h"
#include "remote/download.h"
#include "remote/http.h"
#include "remote/registry_auth.h"
#include "remote/url.h"

using namespace mbuild::remote;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& challenge : parse_challenges(text)) check(!challenge.scheme.empty());
  parse_http_date(text);
  for (const auto& name : {content_disposition_file_name(text), url_file_name(text)}) {
    check(name.find('/') == std::string::npos && name.find('\0') == std::string::npos && name != "." && name != "..");
  }
  if (const auto url = parse_url(text)) {
    const auto written = to_string(*url);
    const auto again = parse_url(written);
    check(again && to_string(*again) == written);
    check(printable_url(text).find('?') == std::string::npos);
  }
  resolve_url("https://registry.example/v2/app/blobs/uploads/", text);
  check(base64_decode(base64_encode(text)) == text);
  check(percent_decode(percent_encode(text)) == text);
  return 0;
}
