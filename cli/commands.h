#pragma once

#include <string>
#include <vector>

#include "cli/config/command.h"

// One function a command: it adds the command with its options to the program.
namespace mbuild::cli {

void add_accel_command(Command& top);  // compiler packs
void add_bake_command(Command& top);
void add_build_command(Command& top);
// Those of containers but `run`, which is among those below `container`.
void add_container_commands(Command& top);
void add_builder_commands(Command& top);  // buildx's: create, use, ls, ...
void add_config_command(Command& top);
void add_debug_command(Command& top);
// What is left of a command line when the command that `debug` is to run is taken away, which may have any flags.
std::vector<std::string> without_command_of_debug(std::vector<std::string> words);
void add_doctor_command(Command& top);
void add_du_command(Command& top, const char* name = "du");
void add_image_commands(Command& top);
// `ls` of the kept images.
void add_image_listing(Command& image);
void add_history_command(Command& top);
void add_help_commands(Command& top);  // completion, man
void add_images_command(Command& top);
void add_imagetools_command(Command& top);
void add_login_commands(Command& top);
void add_merge_command(Command& top);
void add_platforms_command(Command& top);
void add_prune_command(Command& top);
void add_run_command(Command& top);
void add_system_command(Command& top);  // docker's: df, prune
void add_create_command(Command& top);
void add_verify_command(Command& top);

}  // namespace mbuild::cli
