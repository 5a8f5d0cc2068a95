"""What the store holds, and keeping it within bounds: mbuild du, mbuild prune, collection after a build."""
import json
import os
import pty
import re
import subprocess
import time

from support import HANG, MARK, expect, expect_equal, output_of, quick


def du(case, *arguments):
    return case.check(case.mbuild, "du", "--root", case.root, *arguments)


def items(case, *arguments):
    return [json.loads(line) for line in du(case, "--format", "json", *arguments).splitlines()]


def names(case):
    return sorted(item["ID"] for item in items(case))


def prune(case, *arguments):
    return case.check(case.mbuild, "prune", "-f", "--root", case.root, *arguments)


def total(text):
    """The last line of what du and prune print, in bytes (as exact as four digits are)."""
    number = text.splitlines()[-1].split()[-1]
    for unit, size in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1)):
        if number.endswith(unit):
            return float(number[:-len(unit)]) * size
    raise ValueError(text)


def several_things(case):
    case.write("file", b"x" * 300000)
    case.dockerfile("FROM busybox", "COPY file /file", "RUN --mount=type=cache,target=/c,id=things echo a > /c/a",
                    "RUN --mount=type=bind,target=/b cp /b/file /copy", MARK + "/mark")
    return case.build()


@quick
def test_du_agrees_with_the_file_system(case):
    several_things(case)
    case.settle()
    on_disk = int(case.check("du", "-s", "--block-size=1", case.root).split()[0]) if os.geteuid() == 0 else None
    text = du(case)
    if on_disk:
        expect(abs(total(text) - on_disk) < 0.02 * on_disk + 100000, "du says", total(text), "the disk", on_disk)
    types = {item["Type"] for item in items(case)}
    expect(types >= {"regular", "source.image", "source.local", "exec.cachemount"}, "types:", types)
    expect_equal([i["Description"] for i in items(case, "--filter", "type=exec.cachemount")], ["cache mount things"])
    expect_equal(items(case, "--filter", "until=1h"), [])
    expect_equal(len(items(case, "--filter", "inuse")), 0)
    expect("Description:" in du(case, "--verbose"), "nothing verbose")
    case.fails_to_run([case.mbuild, "du", "--root", case.root, "--filter", "tipe=x"], "did you mean type?")


def test_du_of_linked_files(case):
    """Files of bundles count once."""
    case.dockerfile("FROM busybox", *["RUN echo %d > /%d" % (i, i) for i in range(70)])
    case.build(export=False)
    runs = items(case, "--filter", "type=internal")
    expect(runs and all(run["Size"] < 1000000 for run in runs), "runs:", runs)


def test_prune_chosen_things(case):
    first = several_things(case)
    prune(case, "--filter", "type=exec.cachemount")
    expect_equal(items(case, "--filter", "type=exec.cachemount"), [])
    expect_equal(case.build().cached_and_executed()[1], [])
    prune(case, "--filter", "type=regular")
    again = case.build()
    expect(again.file("mark") != first.file("mark"), "a step was kept")
    expect_equal(len(items(case, "--filter", "type=source.local")), 1)


def test_prune_to_a_bound(case):
    """What was asked for is reached, and not much more is removed."""
    for i in range(6):
        case.write("file", os.urandom(1000000))
        case.dockerfile("FROM busybox", "COPY file /file")
        case.build(export=False)
    before = total(du(case))
    prune(case, "--max-used-space", str(int(before) - 2500000))
    after = total(du(case))
    expect(before - 5000000 < after < before - 2400000, "before", before, "after", after)
    left = names(case)
    prune(case, "--max-used-space", "1", "--reserved-space", "100GB")
    expect_equal(names(case), left, "reserved space was taken")
    prune(case, "--min-free-space", "1")
    expect_equal(names(case), left, "more was removed than the disk needs")
    # What goes last may be the largest, the base: which one does depends on how long each took to make.
    largest = max(item["Size"] for item in items(case))
    prune(case, "--min-free-space", "100%", "--reserved-space", "3000000")
    expect(3000000 - largest < total(du(case)) <= 3100000, "reserved 3 MB, kept", total(du(case)))
    prune(case, "--keep-storage", "1")
    expect_equal([i for i in items(case) if i["Reclaimable"]], [])
    case.build()


@quick
def test_prune_everything(case):
    first = several_things(case)
    prune(case, "--all", "--force")
    expect_equal(items(case), [])
    expect_equal(os.listdir(os.path.join(case.root, "blobs", "sha256")), [])
    expect(several_things(case).file("mark") != first.file("mark"), "a step was kept")


def test_a_running_build_keeps_what_it_uses(case):
    case.dockerfile("FROM busybox", MARK + "/mark", "RUN echo be''gun; while [ ! -e /c/go ]; do sleep 0.1; done; cat /mark")
    case.write("Dockerfile", open(os.path.join(case.context, "Dockerfile")).read().replace(
        "RUN echo", "RUN --mount=type=cache,target=/c,id=go echo"))
    process = case.start()
    for line in process.stdout:
        if "begun" in line and "RUN" not in line:
            break
    prune(case)
    prune(case, "--all", "--force")
    kept = {i["Type"] for i in items(case, "--filter", "inuse")}
    expect(kept >= {"regular", "source.image", "exec.cachemount"}, "in use:", kept)
    fs = os.path.join(case.root, "fs")
    mounts = os.path.join(fs, os.listdir(fs)[0], "mounts")
    open(os.path.join(mounts, os.listdir(mounts)[0], "go"), "w").close()
    text = output_of(process)
    expect_equal(process.returncode, 0, text)


def settled(case, done):
    """Waits for the child that the last build left; true when `done` is."""
    for _ in range(HANG * 10):
        if done() and not case.processes_named("internal-upkeep\0" + case.root):
            return True
        time.sleep(0.1)
    return done()


def test_a_policy_of_the_configuration(case):
    """What a policy's filter matches goes whatever the bounds are; what its keep-duration protects does not."""
    config = os.path.join(case.dir, "config.toml")
    policy = '[[gc.policy]]\nfilter = ["type=exec.cachemount"]\nkeep-duration = "%s"\n'
    with open(config, "w") as f:
        f.write(policy % "1h")
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,target=/c,id=one echo 1 > /c/file")
    case.build(export=False, env={"MBUILD_CONFIG": config})
    mounts = lambda: [i for i in items(case) if i["Type"] == "exec.cachemount"]
    settled(case, lambda: True)
    expect_equal(len(mounts()), 1, "after a build with keep-duration = 1h")
    with open(config, "w") as f:
        f.write(policy % "1s")
    time.sleep(2.1)  # times are in whole seconds
    case.dockerfile("FROM busybox", "RUN echo something new > /new")
    case.build(export=False, env={"MBUILD_CONFIG": config})
    expect(settled(case, lambda: not mounts()), "the cache mount is kept:", mounts())
    expect(any(i["Type"] == "regular" for i in items(case)), "layers went, too")


def test_collection_after_a_build(case):
    """The child that a build leaves behind keeps the bounds of the configuration."""
    config = os.path.join(case.dir, "config.toml")
    with open(config, "w") as f:
        f.write("[gc]\nmax-used-space = 4000000\nreserved-space = 0\nmin-free-space = 0\n")
    for i in range(5):
        case.write("file", os.urandom(2000000))
        case.dockerfile("FROM busybox", "COPY file /file")
        case.build(export=False, env={"MBUILD_CONFIG": config})
    expect(settled(case, lambda: total(du(case)) < 4500000), "the store holds", total(du(case)))
    with open(config, "w") as f:
        f.write("[gc]\nmax-used-spac = 1\n")
    case.fails(env={"MBUILD_CONFIG": config}, status=2, says=("config.toml:2", "did you mean max-used-space?"))


def test_prune_asks_before_it_removes(case):
    several_things(case)
    before = du(case)
    for arguments in ((), ("-a",), ("--filter", "type=regular")):
        asked = case.check(case.mbuild, "prune", "--root", case.root, *arguments)  # standard input is no terminal
        expect("this removes" in asked and "Nothing was removed" in asked and "prune -f" in asked, asked)
        expect(re.search(r"\d+ items?, [0-9.]+[kMG]?B", asked), "how much is not said:", asked)
        expect_equal(len(du(case).splitlines()), len(before.splitlines()), "rows after " + " ".join(arguments))
    for answer, rows in ((b"n\n", True), (b"\n", True), (b"\x04", True), (b"y\n", False)):
        master, slave = pty.openpty()
        process = subprocess.Popen([case.mbuild, "prune", "-a", "--root", case.root], stdin=slave,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        os.close(slave)
        os.write(master, answer)
        text = output_of(process)
        os.close(master)
        expect_equal(process.returncode, 0, text)
        expect_equal(len(du(case).splitlines()) == len(before.splitlines()), rows, text)
