#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/fd.h"
#include "base/host_variable.h"
#include "emu/emulator.h"

// Whether the kernel runs a platform is best found out by letting it: /proc/sys/fs/binfmt_misc is not mounted in most
// containers although the handlers of the host work there, and a 32-bit mode can be compiled in and switched off. The
// program is a header, one segment and the few instructions of its descriptor that end a process with status 0.
//
// It is executed with a directory of its own as root. A handler without flag F, whose interpreter would have to be
// looked up in the root of each step, fails there as it would fail in a step.
namespace mbuild::emu {
namespace {

// The numbers of an ELF header in the file's own byte order.
class ElfWriter {
 public:
  explicit ElfWriter(const platforms::Descriptor& descriptor) : descriptor_(descriptor) {}

  void raw(std::string_view text) { bytes_ += text; }
  void half(std::uint64_t value) { number(value, 2); }
  void word(std::uint64_t value) { number(value, 4); }
  void address(std::uint64_t value) { number(value, is_64() ? 8 : 4); }
  bool is_64() const { return descriptor_.elf_class == 2; }
  std::string take() { return std::move(bytes_); }

 private:
  void number(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t shift = descriptor_.little_endian ? i : width - 1 - i;
      bytes_.push_back(static_cast<char>(value >> (8 * shift)));
    }
  }

  const platforms::Descriptor& descriptor_;
  std::string bytes_;
};

std::string exit_program(const platforms::Descriptor& descriptor) {
  ElfWriter elf(descriptor);
  const std::uint64_t load_address = 0x10000;
  const std::uint64_t header_size = elf.is_64() ? 64 : 52;
  const std::uint64_t segment_header_size = elf.is_64() ? 56 : 32;
  const std::uint64_t code_offset = (header_size + segment_header_size + 15) / 16 * 16;
  const std::uint64_t size = code_offset + descriptor.exit_code.size();
  const std::uint64_t readable_executable = 5;

  elf.raw(
      "\x7f"
      "ELF");
  elf.raw(std::string{static_cast<char>(descriptor.elf_class), descriptor.little_endian ? '\1' : '\2', '\1'});
  elf.raw(std::string(9, '\0'));
  elf.half(2);  // ET_EXEC
  elf.half(descriptor.elf_machine);
  elf.word(1);
  elf.address(load_address + code_offset);
  elf.address(header_size);  // program headers
  elf.address(0);            // no section headers
  elf.word(descriptor.elf_flags);
  elf.half(header_size);
  elf.half(segment_header_size);
  elf.half(1);
  for (int i = 0; i < 3; ++i) elf.half(0);

  elf.word(1);  // PT_LOAD
  if (elf.is_64()) elf.word(readable_executable);
  elf.address(0);  // offset
  elf.address(load_address);
  elf.address(load_address);
  elf.address(size);
  elf.address(size);
  if (!elf.is_64()) elf.word(readable_executable);
  elf.address(0x10000);  // alignment: the largest page size of any platform

  elf.raw(std::string(code_offset - header_size - segment_header_size, '\0'));
  elf.raw(descriptor.exit_code);
  return elf.take();
}

// A directory that holds the program only, removed at the end.
class TrialRoot {
 public:
  explicit TrialRoot(const std::string& program) {
    const std::string parent = host_variable("TMPDIR").value_or("");
    directory_ = fmt::format("{}/mbuild-trial-XXXXXX", parent.starts_with('/') ? parent : "/tmp");
    if (::mkdtemp(directory_.data()) == nullptr) {
      directory_.clear();
      return;
    }
    const Fd file(::open(path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
    ready_ = file && ::write(file.get(), program.data(), program.size()) == static_cast<ssize_t>(program.size());
  }
  ~TrialRoot() {
    if (directory_.empty()) return;
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  TrialRoot(const TrialRoot&) = delete;
  TrialRoot& operator=(const TrialRoot&) = delete;

  bool ready() const { return ready_; }
  const std::string& directory() const { return directory_; }

 private:
  std::string path() const { return directory_ + "/trial"; }

  std::string directory_;
  bool ready_ = false;
};

constexpr int k_file_busy = 125;

// In the child: async-signal-safe calls only.
[[noreturn]] void execute_in(const char* directory) {
  if (::chroot(directory) != 0 && (::unshare(CLONE_NEWUSER) != 0 || ::chroot(directory) != 0)) ::_exit(126);
  if (::chdir("/") != 0) ::_exit(126);
  char name[] = "/trial";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  const int silent = ::open("/trial", O_RDONLY | O_CLOEXEC);
  if (silent >= 0) ::dup2(silent, STDERR_FILENO);  // an emulator's complaint is nobody's business
  ::execve(name, arguments, environment);
  ::_exit(errno == ETXTBSY ? k_file_busy : 126);
}

int run_trial(const std::string& directory) {
  const pid_t child = ::fork();
  if (child < 0) return 126;
  if (child == 0) execute_in(directory.c_str());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 126;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

}  // namespace

bool can_execute(const platforms::Descriptor& descriptor) {
  const TrialRoot root(exit_program(descriptor));
  if (!root.ready()) return false;
  // Another thread that forks while the program is written keeps it busy until its child executes something.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const int status = run_trial(root.directory());
    if (status != k_file_busy) return status == 0;
    ::usleep(2000);
  }
  return false;
}

}  // namespace mbuild::emu
