#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "base/fd.h"
#include "worker/native/native_set.h"
#include "worker/native/native_source.h"

namespace mbuild::executor {

// Decides for the programs that a step starts under emulation whether a native one does the same: where the program is
// as a package of the allow-list brought it (packages.h), and the sibling has the same path of the same version of that
// package, as it was brought; or where it is part of a compiler, and the pack has one for the platform of the same
// source. What a step is asked to do counts, too (arguments.h). What a step does to its own files is seen: each file is
// looked at when it is first executed, and again when it was changed. Used by the one thread that supervises the step.
class Substitution {
 public:
  // `root`: of the step, as it is seen from outside. `scratch`: a directory that lives as long as the step.
  Substitution(NativeSource source, int root, std::string scratch);

  struct Found {
    std::uint64_t number = 0;  // by which the piece in the emulator finds the native one
    bool other_root = false;   // the process has another root directory than the step: it has to be given step_root()
  };
  // Of a process that is about to be emulated: `process` is its directory in a procfs, `program` its descriptor of the
  // program. Nothing: there is no native one.
  std::optional<Found> find(int process, int program);
  // A descriptor of the step's root directory as its processes see it.
  int step_root() const { return step_root_.get(); }

  const std::string& machine() const { return source_.machine; }
  const std::string& node() const { return source_.node; }
  std::uint64_t started() const { return started_; }  // programs
  std::uint64_t native() const { return native_; }    // of these, executed natively

 private:
  using Identity = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

  struct Choice {
    NativeSet* set = nullptr;
    std::uint64_t number = 0;
    std::string name;           // of the program, as arguments.h has it
    bool with_library = false;  // it is given the library of emu/accel/piece
  };

  // What is known of a file. That there is none for it holds as long as the database of packages is what it was.
  struct Known {
    std::optional<Choice> choice;
    std::optional<Identity> database;
  };

  // Services by which users and groups are looked up in a root directory, and whether it has their libraries.
  struct Lookups {
    std::optional<Identity> configuration, database;
    std::map<std::string, bool> services;
  };

  static Identity identity_of(const struct stat& status);
  static std::optional<Identity> database_of(int root);
  const std::map<std::string, bool>& lookups_of(int root);
  bool finds_users(int root, NativeSet& set);
  bool converts_alike(int root, int process, const Choice& choice);
  const std::optional<Choice>& known_choice(int process, int program, int root);
  bool can_enter_step_root(int process);
  void have_library();
  std::optional<Choice> choose(int process, int program, const struct stat& status);
  std::optional<Choice> choose_same(int root, const std::string& path, int native, NativeSet& set);
  NativeSet::Edit edit_for(int root, const std::string& path, int native, const std::string& package) const;
  std::optional<Choice> choose_compiler(int root, const std::string& path);
  std::optional<std::uint64_t> answer(const Choice& choice, int process);
  bool has_plugin(int process, const std::string& path);
  bool pack_replaces(int root, const std::string& path);
  int sibling_root();
  int pack_root();
  NativeSet& sibling_set();
  NativeSet& pack_set();

  NativeSource source_;
  std::string scratch_;
  struct stat root_;
  Fd step_root_;
  bool has_library_ = false;
  Fd sibling_, pack_;
  std::unique_ptr<NativeSet> of_sibling_, of_pack_;
  std::optional<std::set<std::string>> replaced_;  // SHA-256 of what the pack replaces, where it names that
  std::map<Identity, Known> known_;
  std::map<std::pair<dev_t, ino_t>, Lookups> lookups_;                      // by root directory
  std::map<std::tuple<const NativeSet*, dev_t, ino_t>, bool> conversions_;  // whether those of a root are the set's
  std::uint64_t started_ = 0, native_ = 0;
};

}  // namespace mbuild::executor
