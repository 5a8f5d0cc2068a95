#pragma once

#include <string>
#include <utility>
#include <vector>

// What there is to know of commands and their options: help, man pages and completion are written from it.
namespace mbuild::cli {

struct OptionAbout {
  std::vector<std::string> names;  // "-t", "--tag"; of a positional one, the name alone
  std::string placeholder;         // of its value, "" for a flag
  std::string help, group;
  bool positional = false, required = false, several = false;
};

struct Example {
  std::string command, meaning;
};

struct CommandAbout {
  std::string name;  // all of it: "mbuild images rm"
  std::string help;
  bool minor = false;  // the help of what it is a command of has its name only
  std::vector<Example> examples;
  std::string rest;                    // the words after the options, where they are taken as they are
  std::vector<OptionAbout> options;    // in the order in which they were added, hidden ones left out
  std::vector<CommandAbout> commands;  // likewise
};

// The last word of the name.
std::string short_name(const CommandAbout& command);

}  // namespace mbuild::cli
