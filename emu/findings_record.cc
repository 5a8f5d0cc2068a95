#include "emu/findings_record.h"

#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace mbuild::executor {
namespace {

void put_number(std::string& out, auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }

void put_text(std::string& out, std::string_view text) {
  put_number(out, std::uint64_t{text.size()});
  out += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number<std::uint64_t>())); }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) throw Error(ExitClass::store, "what an audit found is cut in the index");
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }

  std::string_view rest_;
};

}  // namespace

std::string pack_findings(const std::vector<emu::AuditFinding>& findings) {
  std::string out;
  put_number(out, std::uint64_t{findings.size()});
  for (const auto& finding : findings) {
    put_number(out, static_cast<std::int32_t>(finding.kind));
    for (const auto* text : {&finding.path, &finding.found, &finding.expected, &finding.file_kind})
      put_text(out, *text);
    put_number(out, static_cast<std::uint8_t>(finding.compatible));
    put_text(out, finding.found_platform);
  }
  return out;
}

std::vector<emu::AuditFinding> unpack_findings(std::string_view bytes) {
  Reader in(bytes);
  std::vector<emu::AuditFinding> findings;
  for (auto count = in.number<std::uint64_t>(); count > 0; --count) {
    auto& finding = findings.emplace_back();
    finding.kind = static_cast<emu::AuditFinding::Kind>(in.number<std::int32_t>());
    for (auto* text : {&finding.path, &finding.found, &finding.expected, &finding.file_kind}) *text = in.text();
    finding.compatible = in.number<std::uint8_t>() != 0;
    finding.found_platform = in.text();
  }
  return findings;
}

}  // namespace mbuild::executor
