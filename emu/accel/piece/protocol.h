/* What the piece in QEMU and the supervisor of a step have agreed on. C and C++. */
#pragma once

/* The call by which the piece asks: of a number that the kernel has on no architecture, so that it is for the seccomp
   filter to hand it to the supervisor, and ENOSYS where there is none. Arguments: the magic number, the descriptor of
   the program. Gives the number of its native equivalent, or an error. With the bit WITH_PLUGIN, what follows the
   argument "-plugin" is to be MBUILD_ACCEL_PLUGIN. With the bit OTHER_ROOT, the process has another root directory than
   the step; what is above the lower 32 bits is a descriptor of that one, which the supervisor has put into the process.
   The program is executed there, and the library MBUILD_ACCEL_PRELOAD brings it back before it does anything: to the
   root and the working directory of the two descriptors that the variable names. With the bit WITH_PRELOAD, the program
   is given that library in any case: it tells apt of the emulated architecture. */
#define MBUILD_ACCEL_CALL 400
#define MBUILD_ACCEL_MAGIC 0x6d627569
#define MBUILD_ACCEL_WITH_PLUGIN 0x40000000
#define MBUILD_ACCEL_OTHER_ROOT 0x20000000
#define MBUILD_ACCEL_WITH_PRELOAD 0x10000000

/* Where the step sees the native programs, PROGRAMS/NUMBER/NAME: a directory that every procfs has, so that nothing is
   listed that is not there without them. */
#define MBUILD_ACCEL_PLACE "/proc/driver"
#define MBUILD_ACCEL_PROGRAMS MBUILD_ACCEL_PLACE "/p/"
#define MBUILD_ACCEL_PLUGIN MBUILD_ACCEL_PLACE "/plugin"
#define MBUILD_ACCEL_PRELOAD MBUILD_ACCEL_PLACE "/preload"
#define MBUILD_ACCEL_BACK_VARIABLE "MBUILD_ACCEL_BACK="

/* By the same call a process that is traced (worker/sandbox/exec_trace.h) is made to ask for a descriptor of an
   emulator. Arguments: the magic number, the number of the emulator. */
#define MBUILD_EMULATOR_MAGIC 0x6d627478

/* What the library has in the place of the name that Debian has for the emulated architecture ("arm64"), which the
   supervisor writes there with a 0 behind it. */
#define MBUILD_ACCEL_ARCHITECTURE "mbuild-accel-architecture"

/* The functions of libapt-pkg that the library stands before or calls (apt.c), which the supervisor looks for: by their
   names as C++ mangles them. Configuration::CndSet takes the value as a string until apt 2.9, and as a view since. */
#define MBUILD_ACCEL_APT_INIT_CONFIG "_Z13pkgInitConfigR13Configuration"
#define MBUILD_ACCEL_APT_MAKE_HEADER "_ZN8pkgCache6HeaderC1Ev"
#define MBUILD_ACCEL_APT_SET_BY_STRING \
  "_ZN13Configuration6CndSetEPKcRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define MBUILD_ACCEL_APT_SET_BY_VIEW "_ZN13Configuration6CndSetEPKcRKSt17basic_string_viewIcSt11char_traitsIcEE"
