#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/config/store_root.h"
#include "cli/config/surroundings.h"
#include "cli/container_parts.h"
#include "cli/display/terminal.h"
#include "cli/session.h"
#include "containers/commit.h"
#include "containers/copy.h"
#include "containers/import_files.h"
#include "containers/resting.h"
#include "containers/run.h"
#include "executor/outputs/stored_images.h"
#include "files/uncompressed.h"

// cp, commit, diff, export: what a container has made. import: files that become an image.
namespace mbuild::cli {
namespace {

struct FileFlags {
  std::string root, author, message, file, platform;
  std::vector<std::string> names, changes;
  bool archive = false, follow_link = false, quiet = false;
  std::optional<bool> pause;
};

// "CONTAINER:PATH"; a path of the host where it begins with a slash or a dot, or has no colon.
std::optional<std::pair<std::string, std::string>> in_container(const std::string& text) {
  const auto colon = text.find(':');
  if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0) return std::nullopt;
  return std::pair(text.substr(0, colon), text.substr(colon + 1));
}

// Absolute; what it ends with ("/", "/.") means something.
std::string local_path(const std::string& text) {
  if (text == "-" || text.starts_with('/')) return text;
  return surroundings().directory + "/" + text;
}

void check_no_terminal() {
  if (::isatty(STDOUT_FILENO) == 1) {
    throw usage_error("an archive is not for a terminal").with_advice("Name a file with -o, or redirect the output.");
  }
}

int copy_files(const FileFlags& flags) {
  if (flags.names.size() != 2 || flags.names[0].empty() || flags.names[1].empty()) {
    throw usage_error("mbuild cp takes two paths: CONTAINER:PATH PATH, or PATH CONTAINER:PATH");
  }
  const auto from = in_container(flags.names[0]), to = in_container(flags.names[1]);
  if (from.has_value() == to.has_value()) {
    throw usage_error(from ? "files are not copied from container to container" : "neither path is in a container")
        .with_advice("One of the two is CONTAINER:PATH; a path of the host with a colon in it begins with ./");
  }
  CancelOnSignal cancel;
  const auto session = session_request(flags.root, false);
  const auto container = containers::shelf_of(session.store_root).find((from ? *from : *to).first);
  const containers::CopyOptions options{.archive = flags.archive, .follow_link = flags.follow_link};
  if (from) {
    if (flags.names[1] == "-") check_no_terminal();
    containers::copy_from(session, container, from->second, local_path(flags.names[1]), STDOUT_FILENO, options,
                          cancel.token());
  } else {
    containers::copy_to(session, container, local_path(flags.names[0]), to->second, STDIN_FILENO, options,
                        cancel.token());
  }
  return 0;
}

int commit_container(const FileFlags& flags) {
  if (flags.names.size() > 2) throw usage_error("mbuild commit takes a container and a name for the image");
  CancelOnSignal cancel;
  const auto session = session_request(flags.root, false);
  const auto container = containers::shelf_of(session.store_root).find(flags.names.front());
  const containers::CommitOptions options{.name = flags.names.size() > 1 ? flags.names[1] : "",
                                          .author = flags.author,
                                          .message = flags.message,
                                          .changes = flags.changes,
                                          .pause = flags.pause.value_or(true)};
  print("{}\n", containers::commit(session, container, options, cancel.token()));
  return 0;
}

int show_changes(const FileFlags& flags) {
  CancelOnSignal cancel;
  const auto session = session_request(flags.root, false);
  const auto container = containers::shelf_of(session.store_root).find(flags.names.front());
  for (const auto& line : containers::Resting(session, container, cancel.token()).changes()) print("{}\n", line);
  return 0;
}

int export_container(const FileFlags& flags) {
  if (flags.names.size() != 1) throw usage_error("one container is exported at a time");
  CancelOnSignal cancel;
  const auto session = session_request(flags.root, false);
  const auto container = containers::shelf_of(session.store_root).find(flags.names.front());
  const auto export_to = [&](int fd) {
    containers::copy_from(session, container, "/", "-", fd, {.alone = true}, cancel.token());
  };
  if (flags.file.empty()) {
    check_no_terminal();
    export_to(STDOUT_FILENO);
  } else {
    PartialFile file(flags.file);
    export_to(file.fd());
    file.commit();
  }
  return 0;
}

// What can be read again from its beginning: standard input goes to a file without a name.
Fd import_source(const std::string& name, const std::string& store_root, const std::stop_token& stop) {
  if (name.find("://") != std::string::npos) {
    throw usage_error("an archive is not fetched: " + name).with_advice("curl -L URL | mbuild import - NAME");
  }
  const Fd given = name == "-" ? duplicate(STDIN_FILENO) : open_file(name, O_RDONLY);
  Fd out = open_file(store_root, O_TMPFILE | O_RDWR, 0600);
  copy_uncompressed(given.get(), out.get(), stop);
  return out;
}

int import_image(const FileFlags& flags) {
  if (flags.names.size() > 2) throw usage_error("mbuild import takes a file and a name for the image");
  CancelOnSignal cancel;
  const auto session = session_request(flags.root, false);
  containers::ImportOptions options{.name = flags.names.size() > 1 ? flags.names[1] : "",
                                    .message = flags.message,
                                    .changes = flags.changes,
                                    .platform = platforms::host_platform()};
  if (!flags.platform.empty()) options.platform = platforms::parse_platform_list(flags.platform).front();
  executor::open_store(session.store_root);  // so that it is there
  const Fd in = import_source(flags.names.front(), session.store_root, cancel.token());
  print("{}\n", containers::import_files(session.store_root, in.get(), options, cancel.token()));
  return 0;
}

}  // namespace

void add_import_command(Command& parent) {
  const auto flags = std::make_shared<FileFlags>();
  add_store_command(parent, flags, "import", "Make an image of one layer from a tar of files", import_image)
      .values("-c,--change", flags->changes, "Its configuration: an instruction of a Dockerfile")
      .value("-m,--message", flags->message, "What its history says")
      .value("--platform", flags->platform, "Platform of the files (default: this machine's)")
      .values("name=FILE|- [NAME]", flags->names, "The tar, and the name of the image", Presence::required);
}

void add_container_files_commands(Command& parent) {
  const auto flags = std::make_shared<FileFlags>();
  const auto add = [&](const char* name, const char* help, int (*action)(const FileFlags&), const char* words) {
    Command command = add_store_command(parent, flags, name, help, action);
    command.values(std::string("name=") + words, flags->names, words, Presence::required);
    return command;
  };
  add("cp", "Copy files between a container and the host", copy_files, "CONTAINER:PATH PATH, or PATH CONTAINER:PATH")
      .flag("-a,--archive", flags->archive, "With the owners that they have")
      .flag("-L,--follow-link", flags->follow_link, "What the link at the source leads to")
      .flag("-q,--quiet", flags->quiet, "Accepted; nothing is said");
  add("commit", "Keep what a container has made as an image", commit_container, "CONTAINER [NAME]")
      .value("-a,--author", flags->author, "Author of the image")
      .values("-c,--change", flags->changes, "Change its configuration: an instruction of a Dockerfile")
      .value("-m,--message", flags->message, "What its history says")
      .flag("-p,--pause", flags->pause, "Its processes stand still meanwhile (default: true)");
  add("export", "Write the files of a container as a tar", export_container, "CONTAINER")
      .value("-o,--output", flags->file, "File (default: standard output)");
  add("diff", "Show what a container has changed in its root directory", show_changes, "CONTAINER");
}

}  // namespace mbuild::cli
