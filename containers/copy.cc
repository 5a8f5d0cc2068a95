#include "containers/copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "containers/exec.h"
#include "containers/resting.h"
#include "files/archive.h"
#include "files/tree_tar.h"
#include "files/write_record.h"

namespace mbuild::containers {
namespace {

using executor::FileOrder;

bool means_contents(const std::string& path) { return path == "." || path.ends_with("/.") || clean_path(path) == "/"; }

// The files of a container, whether it runs or not.
class Files {
 public:
  Files(const executor::SessionRequest& session, const Container& container, const std::stop_token& stop)
      : container_(container) {
    if (container.state != State::running) resting_.emplace(session, container, stop);
  }
  executor::FileReply operator()(FileOrder order) {
    return resting_ ? resting_->files(std::move(order)) : order_files(container_, std::move(order));
  }
  executor::FileReply look(const std::string& path, bool follow) {
    FileOrder order;
    order.path = path;
    order.follow = follow;
    return (*this)(std::move(order));
  }

 private:
  const Container& container_;
  std::optional<Resting> resting_;
};

std::string in_container(const std::string& path) { return path.starts_with('/') ? path : "/" + path; }

// A file without a name, for a tar.
Fd make_spool(const executor::SessionRequest& session) {
  return open_file(session.store_root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

void rewind(const Fd& file) {
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw system_error(errno, "lseek");
}

std::string real_path(const std::string& path) {
  std::error_code none;
  const auto out = std::filesystem::canonical(path, none);
  return none ? path : out.string();
}

CopyTarget local_target(const std::string& path) {
  struct stat status;
  const bool exists = ::stat(path.c_str(), &status) == 0;
  return {.path = path, .exists = exists, .is_directory = exists && S_ISDIR(status.st_mode)};
}

void unpack_here(const Fd& tar, const std::string& directory, bool keep_owners) {
  const Fd into(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!into) throw usage_error(fmt::format("{}: {}", directory, std::generic_category().message(errno)));
  rewind(tar);
  executor::UnpackRules rules{.owner = executor::Owner{::geteuid(), ::getegid()},
                              .timestamp = {},
                              .owners = image::OwnerMode::real,
                              .stop = {},
                              .keep_kinds = true,
                              .pipes = true,
                              .drop_setuid = true};
  if (keep_owners && ::geteuid() == 0) {
    rules.owner.reset();
    rules.drop_setuid = false;
  }
  executor::WriteRecord record;
  executor::unpack_archive(tar.get(), into.get(), "", rules, record);
  executor::finish_directories(into.get(), -1, record, image::OwnerMode::real);
}

// The path of a source of the host without links, but one that it ends with and that is not to be followed.
std::string resolved_source(const std::string& path, bool follow) {
  const std::string clean = clean_path(path);
  if (follow || clean == "/") return real_path(clean);
  return clean_path(real_path(dir_name(clean)) + "/" + base_name(clean));
}

void pack(const std::string& path, const std::string& name, const Fd& into) {
  const Fd root = open_file("/", O_RDONLY | O_DIRECTORY);
  const executor::Tree tree{.root = root.get(), .kind = executor::Tree::Kind::snapshot};
  executor::write_tree_tar(tree, path.substr(1), name, [&](std::string_view bytes) { write_all(into.get(), bytes); });
  rewind(into);
}

void copy_all(int from, const Fd& to) {
  char buffer[1 << 16];
  while (const auto n = read_full(from, std::as_writable_bytes(std::span(buffer)))) write_all(to.get(), {buffer, n});
  rewind(to);
}

}  // namespace

CopyPlan plan_copy(const CopySource& source, const CopyTarget& target) {
  const bool is_contents = means_contents(source.path) && source.is_directory;
  if (!source.is_directory && (source.path.ends_with('/') || source.path.ends_with("/."))) {
    throw usage_error(fmt::format("{}: not a directory", source.path));
  }
  const std::string clean = clean_path(target.path);
  if (target.is_directory) return {clean, is_contents ? "" : base_name(clean_path(source.path))};
  const bool wants_directory = target.path.ends_with('/') || target.path.ends_with("/.");
  if (target.exists && source.is_directory) {
    throw usage_error(fmt::format("a directory can't be copied to the file {}", target.path));
  }
  if (target.exists && wants_directory) throw usage_error(fmt::format("{}: not a directory", target.path));
  if (!target.exists && wants_directory && !source.is_directory) {
    throw usage_error(fmt::format("{}: no such directory", target.path));
  }
  return {dir_name(clean), base_name(clean)};
}

void copy_from(const executor::SessionRequest& session, const Container& container, const std::string& from,
               const std::string& to, int out, const CopyOptions& options, const std::stop_token& stop) {
  Files files(session, container, stop);
  const std::string path = in_container(from);
  const bool follow = options.follow_link || path.ends_with('/') || path.ends_with("/.");
  const auto found = files.look(path, follow);
  if (!found.exists) throw usage_error(fmt::format("{}: no such file or directory in the container", from));
  FileOrder order;
  order.kind = FileOrder::Kind::read;
  order.path = path;
  order.follow = follow;
  order.alone = options.alone;
  if (to == "-") {
    const bool all = found.is_directory && means_contents(path);
    order.name = all ? "" : base_name(clean_path(path));
    order.data = duplicate(out);
    files(std::move(order));
    return;
  }
  const auto plan = plan_copy({path, found.is_directory}, local_target(to));
  const Fd spool = make_spool(session);
  order.name = plan.name;
  order.data = duplicate(spool.get());
  files(std::move(order));
  unpack_here(spool, plan.directory, options.archive);
}

void copy_to(const executor::SessionRequest& session, const Container& container, const std::string& from,
             const std::string& to, int in, const CopyOptions& options, const std::stop_token& stop) {
  Files files(session, container, stop);
  const std::string path = in_container(to);
  const auto found = files.look(path, true);
  CopyPlan plan;
  const Fd spool = make_spool(session);
  if (from == "-") {
    if (!found.is_directory) throw usage_error(fmt::format("{}: no such directory in the container", to));
    plan.directory = path;
    copy_all(in, spool);
  } else {
    const bool follow = options.follow_link || from.ends_with('/') || from.ends_with("/.");
    struct stat status;
    if ((follow ? ::stat(from.c_str(), &status) : ::lstat(from.c_str(), &status)) < 0) {
      throw usage_error(fmt::format("{}: {}", from, std::generic_category().message(errno)));
    }
    const std::string landed = found.exists ? "/" + found.path + (path.ends_with('/') ? "/" : "") : path;
    plan = plan_copy({from, S_ISDIR(status.st_mode)},
                     {.path = landed, .exists = found.exists, .is_directory = found.is_directory});
    pack(resolved_source(from, follow), plan.name, spool);
  }
  FileOrder order;
  order.kind = FileOrder::Kind::write;
  order.path = plan.directory;
  order.follow = true;
  order.keep_owners = options.archive || from == "-";
  order.data = duplicate(spool.get());
  files(std::move(order));
}

}  // namespace mbuild::containers
