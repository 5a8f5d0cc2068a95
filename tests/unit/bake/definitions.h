#pragma once

#include <map>
#include <string>
#include <vector>

#include "bake/outside.h"
#include "bake/overrides.h"
#include "bake/selection.h"
#include "bake/target.h"

// Definitions as the tests of this room write them.
namespace mbuild::testing {

// A world in which there are only these variables.
bake::Outside outside_with(std::map<std::string, std::string> variables = {});

// A definition of one HCL file called "x.hcl".
bake::Definition definition_of(const std::string& text, const bake::Outside& outside = outside_with());

// What --print shows of the targets that the words mean, on one line.
std::string printed(const bake::Definition& definition, const std::vector<std::string>& words,
                    const std::vector<std::string>& sets = {}, const bake::Outside& outside = outside_with());

}  // namespace mbuild::testing
