set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(MBUILD_TESTS "Build the unit tests" ON)
option(MBUILD_FUZZERS "Build the libFuzzer targets (clang only)" OFF)
option(MBUILD_WERROR "Warnings are errors" ON)
set(MBUILD_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
option(MBUILD_UNITY "Compile several files of a room at once" OFF)
option(MBUILD_STATIC "Link what is there as a static library from it" OFF)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

# Designated initialisers leave members at their defaults on purpose.
add_compile_options(-Wall -Wextra -Wconversion -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict) # GCC 12 sees overlaps in std::string's own operator+
endif()
if(MBUILD_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-subobject-linkage) # every file counts as a header then
endif()
if(MBUILD_STATIC)
  add_link_options(-static-libstdc++ -static-libgcc -Wl,-z,now) # now: not again in every process that is forked
endif()
# Thirty thousand pointers in tables are set right at each start: packed, they are a hundredth of the size to read. The C
# library has to know of it (glibc 2.36).
if(NOT CMAKE_CROSSCOMPILING)
  include(CheckCXXSourceRuns)
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,-z,pack-relative-relocs)
  check_cxx_source_runs("const char* const volatile table[] = {\"a\"}; int main() { return *table[0] - 'a'; }"
                        MBUILD_PACKED_RELOCATIONS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  if(MBUILD_PACKED_RELOCATIONS)
    add_link_options(-Wl,-z,pack-relative-relocs)
  endif()
endif()
if(MBUILD_WERROR)
  add_compile_options(-Werror)
endif()
if(MBUILD_SANITIZE)
  add_compile_options(-fsanitize=${MBUILD_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MBUILD_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized) # with sanitizers, GCC 12 sees it in std::regex itself
  endif()
endif()

find_package(Threads REQUIRED)
find_package(CURL REQUIRED) # its headers: the library itself is opened when something is fetched
find_package(fmt REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

# mbuild_library(NAME LIB...): the interface library mbuild_NAME. Two processes start in a build, so what a distribution
# has as a static library is linked from it: half of a start was spent on looking up the symbols of 25 shared libraries.
# The others are the shared ones.
function(mbuild_library name)
  add_library(mbuild_${name} INTERFACE)
  foreach(library IN LISTS ARGN)
    unset(found CACHE)
    if(MBUILD_STATIC)
      find_library(found NAMES lib${library}.a)
    endif()
    if(NOT found)
      find_library(found NAMES ${library} REQUIRED)
    endif()
    target_link_libraries(mbuild_${name} INTERFACE ${found})
    unset(found CACHE)
  endforeach()
endfunction()

add_library(mbuild_text INTERFACE) # both come with a shared library, or as headers that need none
if(MBUILD_STATIC)
  target_link_libraries(mbuild_text INTERFACE fmt::fmt-header-only)
  target_compile_definitions(mbuild_text INTERFACE TOML_HEADER_ONLY=1)
else()
  target_link_libraries(mbuild_text INTERFACE fmt::fmt tomlplusplus::tomlplusplus)
endif()
mbuild_library(crypto crypto)
mbuild_library(sqlite sqlite3)
mbuild_library(compression deflate isal zstd z)
mbuild_library(archive archive lzma bz2 zstd z)
mbuild_library(sandbox seccomp cap)
mbuild_library(yaml yaml)
mbuild_library(language re2 mpfr gmp utf8proc crypt)
target_link_libraries(mbuild_crypto INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
target_link_libraries(mbuild_sqlite INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)

# LLVM's Object library, statically: the shared libLLVM costs 13 ms a start. Headers and archives of it are in llvm-19-dev,
# which may be unpacked anywhere: its dependencies (LLVM's tools, clang's library) are not needed. In the order of
# linking, what `llvm-config-19 --link-static --libs object` names.
find_path(llvm_include llvm/Object/ObjectFile.h REQUIRED NO_CACHE NO_DEFAULT_PATH
          PATHS ${CMAKE_SOURCE_DIR}/build/llvm/usr/lib/llvm-19/include /usr/lib/llvm-19/include)
set(llvm_libraries "")
foreach(library Object TextAPI MCParser IRReader AsmParser MC DebugInfoCodeView BitReader Core Remarks BinaryFormat
                TargetParser BitstreamReader Support Demangle)
  list(APPEND llvm_libraries ${llvm_include}/../lib/libLLVM${library}.a)
endforeach()
add_library(mbuild_llvm_object INTERFACE)
target_include_directories(mbuild_llvm_object SYSTEM INTERFACE ${llvm_include})
target_link_libraries(mbuild_llvm_object INTERFACE ${llvm_libraries} mbuild_compression ${CMAKE_DL_LIBS} rt m)
