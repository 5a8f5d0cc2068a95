#pragma once

namespace CLI {
class App;
}

// One function a command: it adds its options to `app` and, when the command was chosen, runs it. Each returns the exit
// status of the program through `status`.
namespace mbuild::cli {

void add_build_command(CLI::App& app, int& status);
void add_doctor_command(CLI::App& app, int& status);
void add_du_command(CLI::App& app, int& status);
void add_images_command(CLI::App& app, int& status);
void add_imagetools_command(CLI::App& app, int& status);
void add_merge_command(CLI::App& app, int& status);
void add_prune_command(CLI::App& app, int& status);
void add_verify_command(CLI::App& app, int& status);

}  // namespace mbuild::cli
