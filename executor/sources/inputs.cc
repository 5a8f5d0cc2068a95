#include "executor/sources/inputs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "executor/sources/remote_context.h"
#include "files/archive.h"
#include "files/context_file.h"
#include "files/write_record.h"

namespace mbuild::executor {
namespace {

bool is_directory(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Error not_found(const std::string& name) {
  return Error(ExitClass::usage, fmt::format("failed to read dockerfile: open {}: no such file or directory", name))
      .with_advice("Name the file with -f FILE, or the directory that holds it as the context.");
}

// Of a file that the user named, what lies beside it is not named, and may be somebody else's: it is read within the
// context, or within the directory that holds the file.
std::optional<std::string> read_ignore_file_of(const Inputs& inputs, const std::string& dockerfile) {
  std::error_code none;
  const auto context = std::filesystem::canonical(inputs.context_directory, none);
  const std::string parent = dir_name(dockerfile);
  const auto directory = std::filesystem::canonical(parent.empty() ? "." : parent, none);
  if (none) return std::nullopt;  // a Dockerfile from a descriptor
  const auto below = directory.lexically_relative(context);
  const std::string name = base_name(dockerfile) + ".dockerignore";
  const bool inside = !below.empty() && *below.begin() != "..";
  const Fd root = open_file((inside ? context : directory).string(), O_RDONLY | O_DIRECTORY);
  return read_context_file(root.get(), inside ? (below / name).lexically_normal().string() : name);
}

void read_named_dockerfile(Inputs& inputs, const std::string& path) {
  if (is_directory(path)) {
    throw Error(ExitClass::usage, fmt::format("failed to read dockerfile: {} is a directory", path))
        .with_advice("Name the file with -f FILE.");
  }
  auto text = read_named_file(path);
  if (!text) throw not_found(path);
  inputs.dockerfile_name = base_name(path);
  inputs.dockerfile_text = std::move(*text);
  inputs.ignore_text = read_ignore_file_of(inputs, path);
}

// The Dockerfile of a context that came as a whole: links in it lead nowhere outside, and no ignore file applies.
void read_enclosed_dockerfile(Inputs& inputs, const std::string& wanted) {
  const Fd root = open_file(inputs.context_directory, O_RDONLY | O_DIRECTORY);
  const std::vector<std::string> names =
      wanted.empty() ? std::vector<std::string>{"Dockerfile", "dockerfile"} : std::vector{wanted};
  for (const auto& name : names) {
    auto text = read_context_file(root.get(), clean_path("/" + name).substr(1));
    if (!text) continue;
    inputs.dockerfile_name = base_name(name);
    inputs.dockerfile_text = std::move(*text);
    return;
  }
  throw Error(ExitClass::usage, fmt::format("failed to read dockerfile: open {}: no such file or directory", names[0]))
      .with_advice("Name the file within the context with -f FILE.");
}

// A name that nobody gave is looked for within the context only.
void read_default_dockerfile(Inputs& inputs) {
  const Fd root = open_file(inputs.context_directory, O_RDONLY | O_DIRECTORY);
  for (const std::string name : {"Dockerfile", "dockerfile"}) {
    auto text = read_context_file(root.get(), name);
    if (!text) continue;
    inputs.dockerfile_name = name;
    inputs.dockerfile_text = std::move(*text);
    inputs.ignore_text = read_context_file(root.get(), name + ".dockerignore");
    return;
  }
  throw not_found("Dockerfile");
}

std::string read_standard_input(const Surroundings& surroundings) {
  if (!surroundings.read_input)
    throw Error(ExitClass::usage, "there is no standard input to read a build context or a Dockerfile from");
  return surroundings.read_input();
}

void check_directory(const std::string& path) {
  const auto no_context = [](std::string message) {
    return Error(ExitClass::usage, "unable to prepare context: " + std::move(message))
        .with_advice(
            "The last argument is the directory with the files that COPY and ADD name, or a git or http address.");
  };
  struct stat status;
  if (::stat(path.c_str(), &status) < 0) {
    if (errno == ENOENT) throw no_context(fmt::format("path \"{}\" not found", path));
    throw no_context(fmt::format("path \"{}\": {}", path, std::strerror(errno)));
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(ExitClass::usage,
                fmt::format("unable to prepare context: \"{}\" is a file, and the context is a directory", path))
        .with_advice(fmt::format("If it is the Dockerfile: `mbuild build -f {} DIRECTORY`. A tar is read from standard "
                                 "input: `mbuild build - < {}`.",
                                 path, path));
  }
  if (status.st_nlink == 0) throw no_context(fmt::format("the directory \"{}\" has been removed", path));
}

// "mbuild build -": a tar is the context, any other text is the Dockerfile.
void read_context_from_stdin(Inputs& inputs, const SessionRequest& session, const TargetRequest& request,
                             const Scratch& scratch) {
  const std::string data = read_standard_input(session.surroundings);
  const Fd file = memory_file(data);
  inputs.context_directory = scratch() + "/context";
  make_settled_directory(inputs.context_directory, 0755);
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
  finish_directories(root.get(), -1, record, image::OwnerMode::real);
  read_enclosed_dockerfile(inputs, request.dockerfile);
}

// True when the Dockerfile is not in the context: it was read.
bool read_dockerfile_from_elsewhere(Inputs& inputs, const SessionRequest& session, const TargetRequest& request,
                                    const Scratch& scratch, const std::stop_token& stop) {
  if (request.dockerfile_text) {
    inputs.dockerfile_text = *request.dockerfile_text;
  } else if (request.dockerfile == "-") {
    inputs.dockerfile_text = read_standard_input(session.surroundings);
  } else if (graph::is_http_address(request.dockerfile)) {
    inputs.dockerfile_text = fetch_text(session, request, request.dockerfile, scratch, stop);
  } else {
    return false;
  }
  inputs.dockerfile_name = "Dockerfile";
  return true;
}

void read_remote_context(Inputs& inputs, const SessionRequest& session, const TargetRequest& request,
                         const Scratch& scratch, const std::stop_token& stop) {
  inputs.context_directory = scratch() + "/context";
  make_settled_directory(inputs.context_directory, 0755);
  inputs.context_ignored = false;
  const RemoteContext fetched = fetch_context(session, request, inputs.context_directory, stop);
  inputs.context_time = fetched.time;
  if (read_dockerfile_from_elsewhere(inputs, session, request, scratch, stop)) return;
  read_enclosed_dockerfile(inputs, fetched.dockerfile.empty() ? request.dockerfile : fetched.dockerfile);
}

}  // namespace

bool is_remote_context(const TargetRequest& request) {
  return !is_directory(request.context) && is_remote(request.context);
}

Inputs read_inputs(const SessionRequest& session, const TargetRequest& request, const Scratch& scratch,
                   std::stop_token stop) {
  Inputs inputs;
  if (request.context == "-") {
    if (request.dockerfile == "-")
      throw Error(ExitClass::usage, "can't use stdin for both build context and dockerfile");
    read_context_from_stdin(inputs, session, request, scratch);
    return inputs;
  }
  if (is_remote_context(request)) {
    read_remote_context(inputs, session, request, scratch, stop);
    return inputs;
  }
  inputs.context_directory = request.context;
  check_directory(request.context);
  if (read_dockerfile_from_elsewhere(inputs, session, request, scratch, stop)) return inputs;
  if (request.dockerfile.empty()) {
    read_default_dockerfile(inputs);
  } else {
    read_named_dockerfile(inputs, request.dockerfile);
  }
  return inputs;
}

}  // namespace mbuild::executor
