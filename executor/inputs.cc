#include "executor/inputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "executor/archive.h"
#include "executor/write_record.h"

namespace mbuild::executor {
namespace {

bool is_directory(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::optional<std::string> read_if_there(const std::string& path) {
  if (!path_exists(path)) return std::nullopt;
  return read_file(path);
}

Error not_found(const std::string& name) {
  return Error(ExitClass::usage, fmt::format("failed to read dockerfile: open {}: no such file or directory", name))
      .with_advice("Name the file with -f FILE, or the directory that holds it as the context.");
}

void read_named_dockerfile(Inputs& inputs, const std::string& path) {
  auto text = read_if_there(path);
  if (!text) throw not_found(path);
  if (is_directory(path))
    throw Error(ExitClass::usage, fmt::format("failed to read dockerfile: {} is a directory", path));
  inputs.dockerfile_name = base_name(path);
  inputs.dockerfile_text = std::move(*text);
  inputs.ignore_text = read_if_there(path + ".dockerignore");
}

void read_default_dockerfile(Inputs& inputs) {
  for (const char* name : {"Dockerfile", "dockerfile"}) {
    if (path_exists(inputs.context_directory + "/" + name)) {
      read_named_dockerfile(inputs, inputs.context_directory + "/" + name);
      return;
    }
  }
  throw not_found("Dockerfile");
}

std::string read_standard_input() {
  if (::isatty(STDIN_FILENO) == 1)
    throw Error(ExitClass::usage, "standard input is a terminal, not a build context or a Dockerfile");
  return read_all(STDIN_FILENO);
}

// "mbuild build -": a tar is the context, any other text is the Dockerfile.
void read_context_from_stdin(Inputs& inputs, const BuildRequest& request, const std::string& scratch) {
  const std::string data = read_standard_input();
  const Fd file = memory_file(data);
  inputs.context_directory = scratch + "/context";
  make_directories(inputs.context_directory, 0755);
  if (!is_archive(file.get())) {
    if (!request.dockerfile.empty()) {
      throw Error(ExitClass::usage, "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
    }
    inputs.dockerfile_name = "Dockerfile";
    inputs.dockerfile_text = data;
    return;
  }
  inputs.context_ignored = false;
  const Fd root = open_file(inputs.context_directory, O_RDONLY | O_DIRECTORY);
  WriteRecord record;
  unpack_archive(file.get(), root.get(), "", {.owner = Owner{::geteuid(), ::getegid()}, .timestamp = {}, .stop = {}},
                 record);
  finish_directories(root.get(), record, image::OwnerMode::real);
  if (request.dockerfile.empty()) {
    read_default_dockerfile(inputs);
  } else {
    read_named_dockerfile(inputs, join_path(inputs.context_directory, request.dockerfile));
  }
}

}  // namespace

Inputs read_inputs(const BuildRequest& request, const std::string& scratch) {
  Inputs inputs;
  if (request.context == "-") {
    if (request.dockerfile == "-")
      throw Error(ExitClass::usage, "can't use stdin for both build context and dockerfile");
    read_context_from_stdin(inputs, request, scratch);
    return inputs;
  }
  inputs.context_directory = request.context;
  if (!is_directory(request.context)) {
    throw Error(ExitClass::usage, fmt::format("unable to prepare context: path \"{}\" not found", request.context))
        .with_advice("The last argument is the directory with the files that COPY and ADD name.");
  }
  if (request.dockerfile == "-") {
    inputs.dockerfile_name = "Dockerfile";
    inputs.dockerfile_text = read_standard_input();
  } else if (request.dockerfile.empty()) {
    read_default_dockerfile(inputs);
  } else {
    read_named_dockerfile(inputs, request.dockerfile);
  }
  return inputs;
}

}  // namespace mbuild::executor
