# The piece that goes into emulators: position-independent code without a library, linked to bytes.
set(piece ${CMAKE_SOURCE_DIR}/emu/accel/piece)
set(piece_out ${CMAKE_BINARY_DIR}/emu)
set(piece_options "")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(piece_options -fno-tree-loop-distribute-patterns) # they become calls of memcpy
endif()
file(MAKE_DIRECTORY ${piece_out})
add_custom_command(
  OUTPUT ${piece_out}/piece.bin
  COMMAND ${CMAKE_C_COMPILER} -std=c17 -O2 -ffreestanding -fno-builtin -fno-stack-protector -fPIC
          -fno-asynchronous-unwind-tables ${piece_options} -nostdlib -static
          -Wl,-T,${piece}/piece.ld -Wl,--build-id=none -Wl,--no-warn-rwx-segments -o ${piece_out}/piece.elf ${piece}/piece.c
  COMMAND ${CMAKE_OBJCOPY} -O binary -j .piece ${piece_out}/piece.elf ${piece_out}/piece.bin
  DEPENDS ${piece}/piece.c ${piece}/piece.ld ${piece}/calls.h ${piece}/protocol.h
  VERBATIM)
# The library by which a program comes back to its root, and apt knows its architecture.
add_custom_command(
  OUTPUT ${piece_out}/preload.so
  COMMAND ${CMAKE_C_COMPILER} -std=c17 -O2 -ffreestanding -fno-builtin -fno-stack-protector -fPIC
          -fno-asynchronous-unwind-tables ${piece_options} -nostdlib -shared -Wl,-z,initfirst -Wl,--build-id=none
          -Wl,-z,noexecstack -s -o ${piece_out}/preload.so ${piece}/back.c ${piece}/apt.c
  DEPENDS ${piece}/back.c ${piece}/apt.c ${piece}/calls.h ${piece}/protocol.h
  VERBATIM)
list(APPEND extra ${CMAKE_SOURCE_DIR}/emu/accel/piece_data.S)
set_source_files_properties(${CMAKE_SOURCE_DIR}/emu/accel/piece_data.S PROPERTIES
  COMPILE_DEFINITIONS "MBUILD_ACCEL_PIECE=\"${piece_out}/piece.bin\";MBUILD_ACCEL_PRELOAD_LIBRARY=\"${piece_out}/preload.so\""
  OBJECT_DEPENDS "${piece_out}/piece.bin;${piece_out}/preload.so"
  SKIP_UNITY_BUILD_INCLUSION ON)
# Its <elf.h> and LLVM's ELF.h define the same names.
set_source_files_properties(${CMAKE_SOURCE_DIR}/emu/accel/inject.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
