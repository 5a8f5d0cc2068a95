#include "worker/sandbox/tracee.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

namespace mbuild::executor {

bool read_registers(pid_t pid, Registers& out) {
  iovec place = {&out, sizeof out};
  return ::ptrace(PTRACE_GETREGSET, pid, reinterpret_cast<void*>(NT_PRSTATUS), &place) == 0;
}

bool write_registers(pid_t pid, const Registers& registers) {
  iovec place = {const_cast<Registers*>(&registers), sizeof registers};
  return ::ptrace(PTRACE_SETREGSET, pid, reinterpret_cast<void*>(NT_PRSTATUS), &place) == 0;
}

#if defined(__x86_64__)

bool knows_registers() { return true; }

long call_number(const Registers& r) { return static_cast<long>(r.orig_rax); }

std::uint64_t call_argument(const Registers& r, int index) {
  const unsigned long long arguments[] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  return arguments[index];
}

std::int64_t call_result(const Registers& r) { return static_cast<std::int64_t>(r.rax); }

void set_call_result(Registers& r, std::int64_t result) { r.rax = static_cast<unsigned long long>(result); }

void set_first_argument(Registers& r, std::uint64_t value) { r.rdi = value; }

std::uint64_t stack_pointer(const Registers& r) { return r.rsp; }

void set_next_call(Registers& r, long number, std::initializer_list<std::uint64_t> arguments) {
  constexpr int k_instruction = 2;  // bytes of `syscall`
  unsigned long long* const places[] = {&r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9};
  r.rip -= k_instruction;
  r.rax = static_cast<unsigned long long>(number);
  r.orig_rax = ~0ULL;  // nothing to be restarted
  int index = 0;
  for (const auto argument : arguments) *places[index++] = argument;
}

#elif defined(__aarch64__)

bool knows_registers() { return true; }

long call_number(const Registers& r) { return static_cast<long>(r.regs[8]); }

std::uint64_t call_argument(const Registers& r, int index) { return r.regs[index]; }

std::int64_t call_result(const Registers& r) { return static_cast<std::int64_t>(r.regs[0]); }

void set_call_result(Registers& r, std::int64_t result) { r.regs[0] = static_cast<unsigned long long>(result); }

void set_first_argument(Registers& r, std::uint64_t value) { r.regs[0] = value; }

std::uint64_t stack_pointer(const Registers& r) { return r.sp; }

void set_next_call(Registers& r, long number, std::initializer_list<std::uint64_t> arguments) {
  constexpr int k_instruction = 4;  // bytes of `svc`
  r.pc -= k_instruction;
  r.regs[8] = static_cast<unsigned long long>(number);
  int index = 0;
  for (const auto argument : arguments) r.regs[index++] = argument;
}

#else
#error "the registers of this processor are not known"
#endif

bool write_memory(int memory, std::uint64_t address, std::string_view bytes) {
  return ::pwrite(memory, bytes.data(), bytes.size(), static_cast<off_t>(address)) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace mbuild::executor
