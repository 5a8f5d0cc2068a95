#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

// A process that stands still for its tracer: its registers, its memory, and calls that it is made to make.
namespace mbuild::executor {

// False on processors whose registers are not known here.
bool knows_registers();

using Registers = user_regs_struct;

// False where the process has gone, as with all that follow.
bool read_registers(pid_t pid, Registers& out);
bool write_registers(pid_t pid, const Registers& registers);

long call_number(const Registers& registers);
std::uint64_t call_argument(const Registers& registers, int index);
std::int64_t call_result(const Registers& registers);
void set_call_result(Registers& registers, std::int64_t result);
void set_first_argument(Registers& registers, std::uint64_t value);
std::uint64_t stack_pointer(const Registers& registers);
// Of a process that has just made a call: it makes this one instead of going on.
void set_next_call(Registers& registers, long number, std::initializer_list<std::uint64_t> arguments);

// Below a stack, which grows by it.
bool write_memory(int memory, std::uint64_t address, std::string_view bytes);

}  // namespace mbuild::executor
