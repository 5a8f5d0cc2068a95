#!/usr/bin/env python3
"""Holds the rooms to their order (docs/design.md, section 3), heavy headers to .cc files, and printing to one file.

A room, or a room within one, includes headers of itself and of those before it; cli/display/terminal.cc, which cleans
what it writes, is the only file that prints. Prints every line that breaks a rule; status 1 then.
"""
import os
import re
import sys

ROOMS = ("base", "platforms", "graph", "oci", "remote", "cache", "layers", "image", "emu",
         "frontend/dockerfile", "frontend", "frontend/lower", "planner", "files",
         "worker/ids", "worker/snapshot", "worker/sandbox", "worker/inner", "worker/jobs", "worker",
         "executor/api", "executor/sources", "executor/steps", "executor/outputs", "executor",
         "cli/display", "cli/config", "cli")
TOPS = sorted({room.split("/")[0] for room in ROOMS})
# Expensive to compile; a header that has one makes everybody pay.
HEAVY = ("nlohmann/", "CLI/", "llvm/", "archive", "curl/", "sqlite3.h", "toml++/", "openssl/")

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRINTS = re.compile(r"\b(fmt::print|fmt::println|std::cout|std::cerr|std::clog|(f|d|v|vf)?printf|f?puts|fputc|putchar|"
                    r"fwrite|perror)\b|\b(stdout|stderr)\b(?!_)|\bwrite(_all)?\(\s*STD(OUT|ERR)_FILENO")
PRINTER = "cli/display/terminal.cc"
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
            if path.endswith(".h") and name.startswith(HEAVY) and not path.startswith("tests/"):
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
