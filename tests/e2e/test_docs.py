"""The documents: their commands work, their flags are the program's, and the messages that they explain are printed.

A block that begins with ```sh run is run, with all of its page in one shell and an empty directory as home. A registry
stands for Docker Hub, where it has busybox, and for registry.example.com."""
import glob
import os
import re
import shlex

from registry import Registry
from support import expect, expect_equal, quick
from test_docker_scripts import printed

PLACEHOLDER = "registry.example.com"
FENCED = re.compile(r"(?ms)^```sh run\n(.*?)^```$")
QUOTED = re.compile(r"`([^`\n]+)`")
FLAG = re.compile(r"^--[a-z][a-z-]+")

# Flags that the program takes and its help does not show, as they do nothing here: docs/from-buildx.md has them.
UNSHOWN = {"--attest", "--provenance", "--sbom", "--policy", "--builder", "--compress", "--rm", "--force-rm", "--memory",
           "--memory-swap", "--cpu-shares", "--cpu-period", "--cpu-quota", "--cpuset-cpus", "--cpuset-mems",
           "--resource", "--cgroup-parent", "--isolation", "--security-opt", "--squash", "--invoke", "--driver",
           "--use", "--bootstrap", "--name", "--help", "--version"}
OF_OTHERS = ("--security-opt", "--device")  # of docker and podman
# Commands that are taken in the place of docker's: `mbuild buildx create`, ...
TAKEN = {"help", "man", "buildx", "builder", "create", "use", "ls", "inspect", "stop", "rm", "install", "version"}


def pages(case):
    return [path for path in sorted(glob.glob(os.path.join(case.top, "docs", "*.md"))) +
            [os.path.join(case.top, "README.md")]]


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def run_page(case, name):
    blocks = FENCED.findall(text_of(os.path.join(case.top, "docs", name)))
    expect(blocks, "no block of", name, "is marked as one to be run")
    registry = Registry(case)
    registry.put_base("library/busybox")
    home, programs = case.new_directory("home"), case.new_directory("bin")
    config = os.path.join(case.dir, "config.toml")
    with open(config, "w") as f:
        f.write('[registry."docker.io"]\nmirrors = ["http://%s"]\n' % registry.host)
    os.symlink(os.path.abspath(case.mbuild), os.path.join(programs, "mbuild"))
    script = "set -eu\n" + "\n".join(blocks).replace(PLACEHOLDER, registry.host)
    environment = {"HOME": home, "PATH": programs + ":" + os.environ["PATH"], "MBUILD_CONFIG": config,
                   "MBUILD_ROOT": case.root, "DOCKER_CONFIG": os.path.join(home, ".docker")}
    return case.check("bash", "-c", script, env=environment, cwd=case.new_directory("page"))


def test_the_quick_start(case):
    text = run_page(case, "quick-start.md")
    for line in ("made for linux/amd64, on x86_64", "made for linux/arm64, on aarch64"):
        expect(line in text, "not printed:", line)


def test_from_buildx(case):
    run_page(case, "from-buildx.md")


def test_caching(case):
    text = run_page(case, "caching.md")
    expect("list.txt" in text, "--explain does not name the file")


def test_ci(case):
    run_page(case, "ci.md")


@quick
def test_every_page_is_in_the_index_and_every_marked_one_has_a_test(case):
    index = text_of(os.path.join(case.top, "docs", "README.md"))
    for path in pages(case):
        name = os.path.basename(path)
        expect(name == "README.md" or "(%s)" % name in index, name, "is not in docs/README.md")
        marked = bool(FENCED.search(text_of(path)))
        expect_equal(marked, name in ("quick-start.md", "from-buildx.md", "caching.md", "ci.md"), name)


# ---- flags

def command_lines(text):
    """Lines of blocks and quoted texts that begin with mbuild, with what continues them. A block is indented or
    fenced."""
    joined, fenced = re.sub(r"\\\n\s*", " ", text), False
    for line in joined.split("\n"):
        fenced ^= line.startswith("```")
        code = re.sub(r"^\s+[$>]?\s*", "", " " + line)
        if (fenced or line.startswith("  ")) and code.startswith("mbuild "):
            yield code
        for quoted in QUOTED.findall(line):
            if quoted.startswith("mbuild "):
                yield quoted


def words_of(line):
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # an apostrophe of a sentence
        return line.split()


def unknown_flags(line, pages_of_man):
    """The flags of a command line that the manual page of its command does not have."""
    words = words_of(line)[1:]
    words = words[:next((i for i, word in enumerate(words) if word in ("|", "&&", ";", ">")), len(words))]
    command = []
    while words and re.fullmatch(r"[a-z][a-z-]*", words[0]) and " ".join(command + words[:1]) in pages_of_man:
        command.append(words.pop(0))
    if not command and words and (words[0] in TAKEN or not words[0].startswith("-")):
        return [] if words[0] in TAKEN or not re.fullmatch(r"[a-z]+", words[0]) else ["the command " + words[0]]
    shown = pages_of_man[" ".join(command) or "build"]
    names = [FLAG.match(word).group() for word in words if FLAG.match(word)]
    return [name for name in names if name not in shown and name not in UNSHOWN]


def manual(case):
    """{words of a command: the flags that its manual page has}"""
    page = printed(case, "man")[1].replace("\\-", "-")
    found = {}
    for part in re.split(r"(?m)^\.SH ", page):
        title, _, body = part.partition("\n")
        match = re.fullmatch(r'"MBUILD (.+)"', title.strip())
        if match:
            found[match.group(1).lower()] = set(re.findall(r"--[a-z][a-z-]+", body))
    expect("build" in found and "--platform" in found["build"], "the manual page has no build:", list(found))
    return found


@quick
def test_every_flag_that_is_named_exists(case):
    known = manual(case)
    everything = set().union(*known.values()) | UNSHOWN
    files = pages(case) + glob.glob(os.path.join(case.top, "examples", "ci", "*"))
    files += [os.path.join(case.top, "examples", "README.md")]
    wrong, lines = [], 0
    for path in files:
        text = text_of(path)
        for line in command_lines(text):
            lines += 1
            wrong += ["%s: %s: %s" % (os.path.basename(path), flag, line) for flag in unknown_flags(line, known)]
        if os.path.basename(path) in ("from-buildx.md", "caching.md", "ci.md", "troubleshooting.md", "quick-start.md"):
            for quoted in QUOTED.findall(text):
                match = FLAG.match(quoted)
                if match and match.group() not in everything and match.group() not in OF_OTHERS:
                    wrong.append("%s: %s" % (os.path.basename(path), quoted))
    expect(lines > 60, "only", lines, "commands were found")
    expect(not wrong, "\n".join(wrong))


# ---- messages

@quick
def test_the_messages_of_the_troubleshooting_page_are_the_programs(case):
    literals = []
    rooms = [room for room in os.listdir(case.top) if room not in ("build", "tests")]
    for room in rooms:
        for path in glob.glob(os.path.join(case.top, room, "**", "*.cc"), recursive=True):
            literals.append(re.sub(r'"\s*\n\s*"', "", text_of(path)).replace('\\"', '"'))
    sources = "\n".join(literals)
    headings = re.findall(r"(?m)^### `(.*)`$", text_of(os.path.join(case.top, "docs", "troubleshooting.md")))
    expect(len(headings) > 15, headings)
    for heading in headings:
        for part in filter(None, (part.strip(" :,") for part in heading.split("..."))):
            expect(part in sources or not re.search(r"[a-z]{3}", part), "no source has", repr(part), "of", heading)
