#include "worker/native/substitution.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "emu/accel/inject.h"
#include "emu/accel/piece/protocol.h"
#include "files/root_path.h"
#include "worker/native/architecture.h"
#include "worker/native/arguments.h"
#include "worker/native/compilers.h"
#include "worker/native/go_tools.h"
#include "worker/native/make.h"
#include "worker/native/packages.h"
#include "worker/native/process_status.h"
#include "worker/native/root_files.h"
#include "worker/native/root_services.h"

namespace mbuild::executor {
namespace {

struct stat status_of(int fd) {
  struct stat out;
  if (::fstat(fd, &out) < 0) throw system_error(errno, "stat", ExitClass::host);
  return out;
}

bool is_same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

std::string command_name(int process) {
  std::string name = read_all(open_at(process, "comm", O_RDONLY).get());
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

// The words of a program, with argv[0], that the kernel has the emulator run: its own are the emulator's path, the
// program's, and these.
std::vector<std::string> words_of_program(int process) {
  std::string line = read_all(open_at(process, "cmdline", O_RDONLY).get());
  if (line.ends_with('\0')) line.pop_back();
  auto words = split(line, '\0');
  words.erase(words.begin(), words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(words)));
  return words;
}

// The program's path in the root directory of its process, "" where it has none there.
std::string path_in_root(int process, int program) {
  const std::string root = read_link(process, "root");
  std::string path = read_link(process, fmt::format("fd/{}", program));
  if (root != "/" && path.starts_with(root + "/")) path.erase(0, root.size());
  return path.starts_with('/') ? path : "";
}

std::vector<std::string> variables_of(int process) {
  return split(read_all(open_at(process, "environ", O_RDONLY).get()), '\0');
}

// A language that libc may have messages for, in whatever character set they are written.
bool has_language(int process) {
  return std::ranges::any_of(variables_of(process), [](const std::string& variable) {
    if (!variable.starts_with("LC_") && !variable.starts_with("LANG")) return false;
    const std::string value = variable.substr(std::min(variable.size(), variable.find('=') + 1));
    return !value.empty() && value != "C" && value != "POSIX" && !value.starts_with("C.");
  });
}

// Without this file apk works for the architecture that it was compiled for.
bool names_architecture_of_apk(int process) {
  const Fd root = open_at(process, "root", O_PATH | O_DIRECTORY);
  return !read_sane(root.get(), "etc/apk/arch").empty();
}

// Whether a program of dpkg has to be told which architecture it works for.
bool works_for_one(std::string_view name) {
  return name != "dpkg-deb" && name != "dpkg-split" && name != "update-alternatives";
}

constexpr const char* k_go_tool = "a tool of Go";       // whichever it is
constexpr const char* k_architecture = "Architecture";  // of a package, in dpkg's database
constexpr std::uint64_t k_first_of_pack = std::uint64_t{1} << 20;

}  // namespace

Substitution::Substitution(NativeSource source, int root, std::string scratch)
    : source_(std::move(source)), scratch_(std::move(scratch)), root_(status_of(root)) {}

Substitution::Identity Substitution::identity_of(const struct stat& status) {
  return {status.st_dev,          status.st_ino,         status.st_size,        status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

std::optional<Substitution::Identity> Substitution::database_of(int root) {
  const Fd status = open_package_database(root);
  return status ? std::optional(identity_of(status_of(status.get()))) : std::nullopt;
}

const std::optional<Substitution::Choice>& Substitution::known_choice(int process, int program, int root) {
  const auto status = status_of(open_at(process, fmt::format("fd/{}", program), O_PATH).get());
  const auto [known, is_new] = known_.try_emplace(identity_of(status));
  auto& [choice, database] = known->second;
  if (choice) return choice;
  auto present = database_of(root);
  if (!is_new && present == database) return choice;
  database = present;
  try {
    choice = choose(process, program, status);
  } catch (const Error&) {
    // It is emulated.
  }
  return choice;
}

const std::map<std::string, bool>& Substitution::lookups_of(int root) {
  const auto status = status_of(root);
  const auto [known, is_new] = lookups_.try_emplace({status.st_dev, status.st_ino});
  auto& [configuration, database, services] = known->second;
  const Fd file = try_open_resolved(root, "etc/nsswitch.conf", O_PATH);
  const auto now = file ? std::optional(identity_of(status_of(file.get()))) : std::nullopt;
  auto packages = database_of(root);
  if (!is_new && now == configuration && packages == database) return services;
  configuration = now;
  database = packages;
  services.clear();
  for (const auto& service : lookup_services(root)) services[service] = has_service(root, service);
  return services;
}

// Native programs have the services of the set's root; one that the step has beside them is for emulated programs
// alone.
bool Substitution::finds_users(int root, NativeSet& set) {
  return std::ranges::all_of(lookups_of(root), [&](const auto& one) {
    const auto& [service, is_there] = one;
    const bool is_in_libc = set.has_own_services() && (service == "dns" || service == "files");
    return is_in_libc || set.add_service(service) == is_there;
  });
}

// Where a program may convert between character sets, both have to have the same ones. Those of the pack, which may
// have none, convert what their arguments say, which these are looked at for (arguments.h).
bool Substitution::converts_alike(int root, int process, const Choice& choice) {
  const bool converts = choice.set != of_pack_.get() && choice.set->converts(choice.number);
  if (!converts && !has_language(process)) return true;
  choice.set->add_conversions();
  const auto status = status_of(root);
  const auto [known, is_new] = conversions_.try_emplace({choice.set, status.st_dev, status.st_ino}, false);
  if (is_new) known->second = conversion_files(root) == conversion_files(choice.set->root());
  return known->second;
}

std::optional<Substitution::Found> Substitution::find(int process, int program) {
  ++started_;
  const Fd root = open_at(process, "root", O_PATH | O_DIRECTORY);
  const bool other_root = !is_same(status_of(root.get()), root_);
  if (!other_root && !step_root_) step_root_ = open_at(process, "root", O_RDONLY | O_DIRECTORY);
  const auto& choice = known_choice(process, program, root.get());
  if (!choice || (other_root && (!choice->set->has_way_back() || !can_enter_step_root(process)))) return std::nullopt;
  if (!finds_users(root.get(), *choice->set) || !converts_alike(root.get(), process, *choice)) return std::nullopt;
  const auto number = answer(*choice, process);
  if (!number || !choice->set->name(choice->number, command_name(process))) return std::nullopt;
  // The linker would load the plugin when it is back.
  if (other_root && (*number & MBUILD_ACCEL_WITH_PLUGIN) != 0) return std::nullopt;
  ++native_;
  return Found{*number, other_root};
}

// By the capability, a process can leave its root directory for that of the step anyway.
bool Substitution::can_enter_step_root(int process) {
  constexpr unsigned k_cap_sys_chroot = 18;
  const auto capabilities = status_field(process_status(process), "CapEff").value_or(0);
  if (!step_root_ || (capabilities >> k_cap_sys_chroot & 1) == 0) return false;
  have_library();
  return true;
}

void Substitution::have_library() {
  if (std::exchange(has_library_, true)) return;
  write_file_atomically(join_path(source_.directory, base_name(MBUILD_ACCEL_PRELOAD)),
                        emu::accel_preload(debian_architecture(source_.machine)), 0755);
}

std::optional<std::uint64_t> Substitution::answer(const Choice& choice, int process) {
  const auto words = words_of_program(process);
  if (words.empty()) return std::nullopt;
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  if (choice.name == "apk" && !names_architecture_of_apk(process)) return std::nullopt;
  const bool is_emulated = choice.name == "busybox"   ? needs_emulated_busybox(words)
                           : choice.name == k_go_tool ? needs_emulated_go_tool(arguments, variables_of(process))
                                                      : needs_emulation(choice.name, arguments);
  if (is_emulated) return std::nullopt;
  if (choice.with_library) return choice.number | MBUILD_ACCEL_WITH_PRELOAD;
  if (choice.name != "ld.bfd") return choice.number;
  const auto plugin = std::ranges::find(arguments, "-plugin");
  if (plugin == arguments.end()) return choice.number;
  if (std::next(plugin) == arguments.end() || !has_plugin(process, *std::next(plugin))) return std::nullopt;
  return choice.number | MBUILD_ACCEL_WITH_PLUGIN;
}

std::optional<Substitution::Choice> Substitution::choose(int process, int program, const struct stat& status) {
  const Fd root = open_at(process, "root", O_PATH | O_DIRECTORY);
  const std::string link = path_in_root(process, program);
  if (link.empty()) return std::nullopt;
  const std::string path = resolve_in_root(root.get(), link).path;
  // Seen by that name in the step's own root, and not through a mount of the step or a file that has gone.
  const Fd seen = try_open_resolved(root.get(), path, O_PATH);
  if (!seen || !is_same(status_of(seen.get()), status)) return std::nullopt;
  if (try_open_resolved(root.get(), "etc/ld.so.preload", O_PATH)) return std::nullopt;
  if (auto chosen = choose_same(root.get(), path, sibling_root(), sibling_set())) return chosen;
  if (const auto tool = native_go_tool(root.get(), path, sibling_root()))
    return Choice{&sibling_set(), sibling_set().add(*tool), k_go_tool};
  if (!source_.compilers) return std::nullopt;
  if (auto chosen = choose_compiler(root.get(), path)) return chosen;
  return choose_same(root.get(), path, pack_root(), pack_set());
}

std::optional<Substitution::Choice> Substitution::choose_same(int root, const std::string& path, int native,
                                                              NativeSet& set) {
  const auto packaged = substitutable(root, path);
  if (!packaged || !is_as_packaged(native, path, *packaged)) return std::nullopt;
  const std::string name = resolved_name(path);
  Choice choice{&set, 0, name, packaged->package.starts_with("apt")};
  if (choice.with_library || (packaged->package == "dpkg" && works_for_one(name))) {
    const auto architecture = debian_architecture(source_.machine);
    if (architecture.empty() || installed_field(root, packaged->package, k_architecture) != architecture)
      return std::nullopt;
  }
  choice.number = set.add(path, edit_for(root, path, native, packaged->package));
  if (!choice.with_library) return choice;
  if (!set.has_own_services() || !set.apt_takes_architecture()) return std::nullopt;  // it needs dlsym of libc
  have_library();
  return choice;
}

// What is changed in the copy of a program so that it answers as the emulated one.
NativeSet::Edit Substitution::edit_for(int root, const std::string& path, int native,
                                       const std::string& package) const {
  const std::string name = resolved_name(path);
  if (name == "make") {
    return [=](std::string bytes) { return make_as_emulated(std::move(bytes), read_sane(root, path)); };
  }
  if (package == "dpkg" && works_for_one(name)) {
    const std::string own = installed_field(native, package, k_architecture);
    return [own, other = debian_architecture(source_.machine)](std::string bytes) {
      return with_architecture(std::move(bytes), own, other);
    };
  }
  return {};
}

std::optional<Substitution::Choice> Substitution::choose_compiler(int root, const std::string& path) {
  const auto program = cross_program(root, path);
  if (!program || !is_same_source(pack_root(), *program) || !pack_replaces(root, path)) return std::nullopt;
  const auto edit = [&](std::string bytes) { return with_own_paths(std::move(bytes), *program); };
  return Choice{&pack_set(), pack_set().add(program->in_pack, edit), program->name};
}

// A pack that was made on purpose names the checksums of what it replaces; others go by what dpkg says.
bool Substitution::pack_replaces(int root, const std::string& path) {
  if (!replaced_) replaced_ = replaced_programs(pack_root());
  if (replaced_->empty()) return true;
  const Fd file = open_sane(root, path);
  return file && replaced_->contains(std::string(digest_hex(sha256_of_rest(file.get()))));
}

// The native plugin of the linker is laid out where the linker's is the compiler's own.
bool Substitution::has_plugin(int process, const std::string& path) {
  if (!path.starts_with('/')) return false;
  try {
    const Fd root = open_at(process, "root", O_PATH | O_DIRECTORY);
    const std::string resolved = resolve_in_root(root.get(), path).path;
    const auto plugin = linker_plugin(root.get(), resolved);
    if (!plugin || !is_same_source(pack_root(), *plugin) || !pack_replaces(root.get(), resolved)) return false;
    pack_set().add_library(plugin->in_pack, base_name(MBUILD_ACCEL_PLUGIN));
    return true;
  } catch (const Error&) {
    return false;
  }
}

int Substitution::sibling_root() {
  if (!sibling_) sibling_ = mount_snapshot(source_.sibling, scratch_);
  return sibling_.get();
}

int Substitution::pack_root() {
  if (!pack_) pack_ = mount_snapshot(*source_.compilers, scratch_);
  return pack_.get();
}

NativeSet& Substitution::sibling_set() {
  if (!of_sibling_) of_sibling_ = std::make_unique<NativeSet>(source_.directory, duplicate(sibling_root()));
  return *of_sibling_;
}

NativeSet& Substitution::pack_set() {
  if (!of_pack_) {
    of_pack_ = std::make_unique<NativeSet>(source_.directory, duplicate(pack_root()), "q", k_first_of_pack);
  }
  return *of_pack_;
}

}  // namespace mbuild::executor
