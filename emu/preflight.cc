#include "emu/preflight.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"
#include "base/strings.h"
#include "emu/elf.h"

// Follows the way of execve: name, script, script's interpreter, ELF file, loader. Everything is opened with
// RESOLVE_IN_ROOT, so that an absolute link in the image means a file of the image. In the usual case this is two
// files opened and one page read of each.
namespace mbuild::emu {
namespace {

using platforms::Descriptor;
using platforms::Platform;

constexpr int k_script_depth = 4;                 // the kernel gives up after that many, too
constexpr std::size_t k_script_line_bytes = 255;  // what it reads of the first line
constexpr std::string_view k_default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Target {
  std::string path;
  Fd file;
  std::string start;  // its first page
};

Fd open_in_root(int root_fd, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, root_fd, path.c_str(), &how, sizeof how)));
}

std::string read_start(int fd) {
  std::array<char, k_elf_probe_bytes> page;
  const ssize_t length = ::pread(fd, page.data(), page.size(), 0);
  return std::string(page.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
}

// The regular file at `path` if it may be executed.
std::optional<Target> open_program(int root_fd, std::string path) {
  Fd file = open_in_root(root_fd, path);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || (status.st_mode & 0111) == 0) return std::nullopt;
  std::string start = read_start(file.get());
  return Target{std::move(path), std::move(file), std::move(start)};
}

std::optional<Target> find_program_in_root(int root_fd, const std::string& name, std::string_view path,
                                           const std::string& cwd) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string::npos) return open_program(root_fd, join_path(cwd, name));
  for (const std::string& directory : split(path.empty() ? k_default_path : path, ':')) {
    auto target = open_program(root_fd, join_path(join_path(cwd, directory), name));
    if (target) return target;
  }
  return std::nullopt;
}

// Whether `path` exists, false only where that is certain.
bool exists_in_root(int root_fd, const std::string& path) {
  return open_in_root(root_fd, path) || (errno != ENOENT && errno != ENOTDIR);
}

bool is_text(std::string_view start) {
  return std::ranges::all_of(start.substr(0, 256), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
  });
}

Problem not_a_program(const Target& target, std::string message, std::string advice) {
  return {Problem::Kind::not_a_program, target.path, "", std::move(message), std::move(advice)};
}

// What neither starts with "#!" nor is ELF. A handler of the host might know it, so only what is certain is reported.
std::optional<Problem> check_other(const Target& target) {
  const std::string_view start = target.start;
  if (start.empty()) {
    return not_a_program(target, fmt::format("{} is an empty file", target.path),
                         "It was probably not copied in full; look at the COPY or the RUN that makes it.");
  }
  constexpr std::array<std::string_view, 4> k_mach_o = {"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf",
                                                        "\xfe\xed\xfa\xce"};
  if (std::ranges::any_of(k_mach_o, [&](std::string_view magic) { return start.starts_with(magic); })) {
    return not_a_program(target, fmt::format("{} is a macOS program (Mach-O)", target.path),
                         "Compile it for Linux, best in a stage of this Dockerfile.");
  }
  if (!is_text(start)) return std::nullopt;
  return not_a_program(target,
                       fmt::format("{} is a text file whose first line does not name an interpreter", target.path),
                       "Begin it with a line such as \"#!/bin/sh\", or run it as an argument of its interpreter.");
}

// The interpreter of a script, as the kernel reads the first line: up to a blank; "" where there is none.
std::string first_line_program(std::string_view start) {
  const std::string_view line = start.substr(2, std::min(start.find('\n'), k_script_line_bytes) - 2);
  const std::string_view words = trim(line, " \t");
  return std::string(words.substr(0, words.find_first_of(" \t")));
}

Problem interpreter_missing(const Target& script, const std::string& interpreter) {
  if (interpreter.ends_with('\r')) {
    return {Problem::Kind::interpreter_missing, script.path, "",
            fmt::format("{} has Windows line ends, so that its interpreter would be \"{}\\r\"", script.path,
                        interpreter.substr(0, interpreter.size() - 1)),
            fmt::format("Convert it: sed -i 's/\\r$//' {} (and set \"* text=auto eol=lf\" in .gitattributes).",
                        base_name(script.path))};
  }
  return {
      Problem::Kind::interpreter_missing, script.path, "",
      fmt::format("{} is a script for {}, which is not in the image", script.path, interpreter),
      fmt::format("Install {} in an earlier step, or change the first line of the script.", base_name(interpreter))};
}

std::string platform_name(const ElfIdentity& identity) {
  const Descriptor* descriptor =
      platforms::find_descriptor_by_elf(identity.machine, identity.elf_class, identity.little_endian);
  return descriptor == nullptr ? "" : descriptor->name;
}

Problem wrong_architecture(const std::string& path, const ElfIdentity& identity, const Platform& platform) {
  Problem problem;
  problem.kind = Problem::Kind::wrong_architecture;
  problem.path = path;
  problem.found = platform_name(identity);
  problem.message = fmt::format("{} in the image is a program for {}, but the step is for {}", path, describe(identity),
                                to_string(platform));
  problem.advice = fmt::format(
      "If it comes from the base image, that image is for another platform than it says or was asked for: use one "
      "that exists for {}. If a step or COPY brought it, take or compile it for {} ($TARGETARCH in the Dockerfile), "
      "or build in a stage with FROM --platform=$BUILDPLATFORM and copy the result.",
      to_string(platform), to_string(platform));
  return problem;
}

// True where the step's platform runs such a file as it stands (386 on amd64).
bool runs_on(const ElfIdentity& identity, const Descriptor& step) {
  if (is_of(identity, step)) return true;
  const Descriptor* other =
      platforms::find_descriptor_by_elf(identity.machine, identity.elf_class, identity.little_endian);
  if (other == nullptr) return identity.machine == step.elf_machine;  // x32, n32: for the kernel to judge
  return std::ranges::find(other->native_on, step.name) != other->native_on.end();
}

std::string loader_advice(int root_fd, const std::string& loader, const Descriptor& descriptor) {
  const bool musl = loader.find("ld-musl") != std::string::npos;
  for (const std::string& other : descriptor.loaders) {
    if (other == loader || !exists_in_root(root_fd, other)) continue;
    const bool other_musl = other.find("ld-musl") != std::string::npos;
    if (musl != other_musl) {
      return fmt::format(
          "The program was linked with {}, the image has {}: compile it in a stage with the same base, link it "
          "statically, or change the base.",
          musl ? "musl" : "glibc", musl ? "glibc" : "musl");
    }
  }
  return fmt::format("The program needs a {} base (for example {}), or must be linked statically.",
                     musl ? "musl" : "glibc", musl ? "alpine" : "debian");
}

std::optional<Problem> check_loader(int root_fd, const Target& program, const ElfFile& elf, const Descriptor& step,
                                    const Platform& platform) {
  if (elf.interpreter.empty() || elf.interpreter.front() != '/') return std::nullopt;
  const Fd loader = open_in_root(root_fd, elf.interpreter);
  if (!loader && (errno == ENOENT || errno == ENOTDIR)) {
    return Problem{Problem::Kind::loader_missing, program.path, "",
                   fmt::format("{} needs the loader {}, which is not in the image", program.path, elf.interpreter),
                   loader_advice(root_fd, elf.interpreter, step)};
  }
  if (!loader) return std::nullopt;
  std::array<char, k_elf_header_bytes> header;
  const ssize_t length = ::pread(loader.get(), header.data(), header.size(), 0);
  const auto identity = read_elf_identity({header.data(), length > 0 ? static_cast<std::size_t>(length) : 0});
  if (identity && !runs_on(*identity, step)) return wrong_architecture(elf.interpreter, *identity, platform);
  return std::nullopt;
}

std::optional<Problem> check_elf(int root_fd, const Target& target, const ElfIdentity& identity,
                                 const Platform& platform) {
  const Descriptor* const step = platforms::find_descriptor(platform);
  if (step == nullptr) return std::nullopt;
  if (!runs_on(identity, *step)) return wrong_architecture(target.path, identity, platform);
  if (identity.type == ElfType::relocatable || identity.type == ElfType::core) {
    return not_a_program(target, fmt::format("{} is an ELF file, but no program: it was not linked", target.path),
                         "Link it, or name the program that was made of it.");
  }
  auto elf = inspect_elf(target.start);
  if (elf && !elf->complete && elf->interpreter.empty()) elf = inspect_elf_file(target.file.get());
  if (!elf) return std::nullopt;
  return check_loader(root_fd, target, *elf, *step, platform);
}

}  // namespace

std::optional<Problem> check_executable(int root_fd, const std::string& argv0, std::string_view path,
                                        const std::string& cwd, const Platform& platform) {
  auto target = find_program_in_root(root_fd, argv0, path, cwd.empty() ? "/" : cwd);
  for (int depth = 0; target && depth <= k_script_depth; ++depth) {
    if (const auto identity = read_elf_identity(target->start)) {
      return check_elf(root_fd, *target, *identity, platform);
    }
    if (!target->start.starts_with("#!")) return check_other(*target);
    const std::string interpreter = first_line_program(target->start);
    if (interpreter.empty()) return std::nullopt;
    const std::string location = join_path(cwd.empty() ? "/" : cwd, interpreter);
    if (!exists_in_root(root_fd, location)) return interpreter_missing(*target, interpreter);
    target = open_program(root_fd, location);
  }
  return std::nullopt;
}

}  // namespace mbuild::emu
