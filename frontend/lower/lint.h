#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/lower/state.h"

// The build checks that need more than the text of the file. Each function is one rule: it looks at one case and adds a
// warning to Lowering::warnings when the rule is hit and not silenced.
namespace mbuild::frontend::lowering {

void check_undefined_variables(Lowering& lowering, const Stage& stage, const Step& step,
                               const std::set<std::string>& undefined);
void check_undefined_in_from(Lowering& lowering, const dockerfile::Instruction& from,
                             const std::set<std::string>& undefined);
void check_default_arg_in_from(Lowering& lowering);
void check_platform_flag(Lowering& lowering, const dockerfile::Instruction& from, const std::string& expanded);
void check_base_platform(Lowering& lowering, const Stage& stage, const platforms::Platform& actual);
// What is to be said of a base of the platform `actual` for an image that is labelled `expected`; not added to
// anything.
dockerfile::Warning foreign_base_warning(const Stage& stage, const platforms::Platform& actual,
                                         const platforms::Platform& expected);
void check_shell_form(Lowering& lowering, const Stage& stage, const Step& step, const dockerfile::Command& command);
void check_relative_workdir(Lowering& lowering, const Stage& stage, const Step& step, const std::string& path);
// `previous` is where the stage keeps its last instruction of this kind; `step` takes the place.
void check_used_once(Lowering& lowering, const Step& step, const dockerfile::Instruction*& previous);
void check_secret_name(Lowering& lowering, const Stage& stage, const Step& step, std::string_view instruction,
                       std::string_view name);
// `legacy`: "ENV KEY VALUE".
void check_key_value_format(Lowering& lowering, const Stage& stage, const Step& step, bool legacy);
void check_ignored_source(Lowering& lowering, const Stage& stage, const Step& step, bool add, std::string_view source);
void check_expose_protocol(Lowering& lowering, const Stage& stage, const Step& step, std::string_view port,
                           std::string_view protocol);
void check_expose_format(Lowering& lowering, const Stage& stage, const Step& step, std::string_view port);
// The comment above a FROM with a name, or above an ARG.
void check_descriptions(Lowering& lowering);

// The lines of a step: its own, or those of FROM for a trigger.
dockerfile::Range step_range(const Stage& stage, const Step& step);
// Warnings of all platforms: one that several platforms have counts once. In line order.
std::vector<dockerfile::Warning> merge_warnings(const std::vector<std::vector<dockerfile::Warning>>& platforms);

}  // namespace mbuild::frontend::lowering
