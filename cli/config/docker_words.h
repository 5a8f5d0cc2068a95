#pragma once

#include <string>
#include <string_view>
#include <vector>

// The command lines that docker's users and docker's own program write.
namespace mbuild::cli {

inline constexpr const char* k_builder_group = "builder";  // of commands that have another meaning without it
inline constexpr const char* k_plugin_metadata_command = "docker-cli-plugin-metadata";

// The words after the name of the program as mbuild's own: without the groups of docker ("buildx build", "builder
// prune"), and, where `program` is named as a plugin of docker (docker-NAME), without what docker puts in front: its
// global flags and NAME. Of those flags --config and --host are kept in the environment, where docker's programs look
// for them; to be called before there are threads.
std::vector<std::string> without_docker_words(std::string_view program, std::vector<std::string> words);

// Whether those words had `program` named docker-buildx: docker runs it for `docker build` and `docker buildx`.
bool is_started_as_buildx();

// What is to be typed for a command of docker that mbuild does not have; "" for a word that docker does not have
// either.
std::string advice_for_docker_word(std::string_view word);

}  // namespace mbuild::cli
