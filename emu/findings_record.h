#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emu/audit.h"

namespace mbuild::executor {

// The findings of the index's table `audits` (docs/formats.md).
std::string pack_findings(const std::vector<emu::AuditFinding>& findings);
// Throws Error (store) for bytes that pack_findings did not make.
std::vector<emu::AuditFinding> unpack_findings(std::string_view bytes);

}  // namespace mbuild::executor
