#include "emu/findings_record.h"

#include "base/codec.h"
#include "base/error.h"

namespace mbuild::executor {

std::string pack_findings(const std::vector<emu::AuditFinding>& findings) { return encode(findings); }

std::vector<emu::AuditFinding> unpack_findings(std::string_view bytes) {
  try {
    return decode<std::vector<emu::AuditFinding>>(bytes);
  } catch (const Error& error) {
    throw Error(ExitClass::store, "what an audit found is damaged in the index: " + error.message);
  }
}

}  // namespace mbuild::executor
