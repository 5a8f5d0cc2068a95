#!/usr/bin/env python3
"""Holds the rooms to their order (docs/design.md, section 3), heavy headers to .cc files, and printing to one file.

A room, or a room within one, includes headers of itself and of those before it; cli/display/terminal.cc, which cleans
what it writes, is the only file that prints. Below cli nothing reads the environment, the terminal, the standard
streams or the current directory of the process: such things come with the request. Prints every line that breaks a
rule; status 1 then.
"""
import os
import re
import sys

ROOMS = ("base", "platforms", "graph", "oci", "remote", "cache", "layers", "image", "emu",
         "frontend/dockerfile", "frontend", "frontend/lower", "planner", "files",
         "worker/ids", "worker/snapshot", "worker/native", "worker/sandbox", "worker/inner", "worker/jobs", "worker",
         "executor/api", "executor/sources", "executor/steps", "executor/outputs", "executor",
         "history", "containers", "bake/hcl", "bake",
         "cli/display", "cli/config", "cli")
TOPS = sorted({room.split("/")[0] for room in ROOMS})
# Expensive to compile; a header that has one makes everybody pay.
HEAVY = ("nlohmann/", "CLI/", "llvm/", "archive", "curl/", "sqlite3.h", "toml++/", "openssl/")

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRINTS = re.compile(r"\b(fmt::print|fmt::println|std::cout|std::cerr|std::clog|(f|d|v|vf)?printf|f?puts|fputc|putchar|"
                    r"fwrite|perror)\b|\b(stdout|stderr)\b(?!_)|\bwrite(_all)?\(\s*STD(OUT|ERR)_FILENO")
PRINTER = "cli/display/terminal.cc"
SURROUNDINGS = re.compile(r"\b(getenv|secure_getenv|environ|isatty|STD(IN|OUT|ERR)_FILENO|current_path|getcwd|"
                          r"get_current_dir_name)\b|\b(fs|filesystem)::absolute\b")
READERS = {
    "base/host_variable.cc": "reads what is so of the host",
    "base/output_file.cc": "knows the descriptors that a user's file names mean",
    "base/subprocess.cc": "starts programs with this process's environment, found by its PATH",
    "emu/can_execute.cc": "silences a child",
    "executor/upkeep.cc": "starts this program again",
    "worker/inner/inner.cc": "starts this program again",
    "worker/process_worker.cc": "starts this program again",
}
HOST_VARIABLES = {"PATH", "MBUILD_QEMU_DIR", "TMPDIR", "http_proxy", "HTTP_PROXY", "SSL_CERT_FILE", "GIT_SSH",
                  "GIT_SSH_COMMAND", "container", "KUBERNETES_SERVICE_HOST", "GITHUB_ACTIONS", "GITLAB_CI", "USER",
                  "MBUILD_TEST_DISABLE", "MBUILD_TEST_CRASH_AT", "MBUILD_TEST_BOOT_ID"}
HOST_VARIABLE = re.compile(r'\bhost_variable\("([^"]*)"\)')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The innermost room that a file is in, or None."""
    room = os.path.dirname(path)
    while room and room not in ROOMS:
        room = os.path.dirname(room)
    return room or None


def complaints(path):
    """What is wrong with the includes of one file."""
    room = room_of(path)
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            code = re.sub(r'"(\\.|[^"\\])*"|//.*', "", line)
            if room and path != PRINTER and PRINTS.search(code):
                yield number, "only %s prints" % PRINTER
            if room and room.split("/")[0] != "cli":
                if path not in READERS and SURROUNDINGS.search(code):
                    yield number, "only cli reads the environment, the terminal, the standard streams, the directory"
                for name in HOST_VARIABLE.findall(line):
                    if name not in HOST_VARIABLES:
                        yield number, "%s: is it so of the host? Then add it to HOST_VARIABLES" % name
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, name = match.groups()
            other = room_of(name)
            if quote == '"' and room:
                if other is None or not os.path.exists(os.path.join(TOP, name)):
                    yield number, "%s: include by the full path from the top, or <...> for a library" % name
                elif ROOMS.index(other) > ROOMS.index(room):
                    yield number, "%s: room %s comes after %s" % (name, other, room)
            if path.endswith(".h") and name.startswith(HEAVY) and "_fwd" not in name and not path.startswith("tests/"):
                yield number, "%s: heavy, include it in a .cc file" % name


def main():
    count = wrong = 0
    for top in TOPS:
        for directory, _, files in os.walk(os.path.join(TOP, top)):
            for file in sorted(files):
                if not file.endswith((".h", ".cc")):
                    continue
                path = os.path.relpath(os.path.join(directory, file), TOP)
                count += 1
                for number, text in complaints(path):
                    wrong += 1
                    print("%s:%d: %s" % (path, number, text))
    print("includes: %d files, %d wrong" % (count, wrong))
    return 1 if wrong else 0


sys.exit(main())
