#!/usr/bin/env python3
"""Holds the documents to what is: each path that they name is there, and their lines have at most 120 columns.

A path is the target of a link, or a text between backquotes that begins with a folder of the
top. Tables and blocks of code may be as wide as they are. Prints every line that breaks a rule; status 1 then.
"""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
QUOTED = re.compile(r"`([^`\s]+)`")
PLACEHOLDER = re.compile(r"NAME|<|\$|\{|\.\.\.")


def git_files(*patterns):
    return subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "--", *patterns], check=True,
                          capture_output=True, text=True).stdout.split("\n")[:-1]


def names(line, folders):
    """Of the paths in a line: as written, and whether the document's own folder is where it begins."""
    for match in LINK.finditer(line):
        if ":" not in match[1]:
            yield match[1], True
    for match in QUOTED.finditer(line):
        name = match[1].rstrip(",.;")
        if name.split("/")[0] in folders and "/" in name and not PLACEHOLDER.search(name):
            yield name, False


def complaints(document, folders):
    code = False
    with open(os.path.join(TOP, document), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("```"):
                code = not code
            if code or line.startswith("    "):
                continue
            if len(line) > 120 and not line.startswith("|"):
                yield number, "%d columns, 120 are allowed" % len(line)
            for name, relative in names(line, folders):
                path = os.path.join(TOP, os.path.dirname(document) if relative else "", name)
                if not glob.glob(path):
                    yield number, "%s: there is no such file" % name


def main():
    folders = {path.split("/")[0] for path in git_files() if "/" in path}
    documents = git_files("*.md")
    wrong = 0
    for document in documents:
        for number, text in complaints(document, folders):
            wrong += 1
            print("%s:%d: %s" % (document, number, text))
    print("documents: %d, %d lines wrong" % (len(documents), wrong))
    return 1 if wrong else 0


sys.exit(main())
