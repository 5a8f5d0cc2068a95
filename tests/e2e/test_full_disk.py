"""A full disk is cleaned up without space, and the messages say the truth about it. A tmpfs stands for the disk."""
import json
import os
import re

from support import expect, expect_equal

FILL = "RUN head -c 80000000 /dev/urandom > /big; true"


class Disk:
    """A mount namespace that stays, with a small file system in it."""

    def __init__(self, case, size="24m"):
        case.needs_root()
        case.needs("unshare", "nsenter", "mount")
        self.case, self.place = case, case.new_directory("disk")
        self.holder = case._start(["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=%s none %s && echo ready; sleep 100000"
                                   % (size, self.place)], dict(os.environ), case.dir)
        expect_equal(self.holder.stdout.readline().strip(), "ready")
        self.prefix = ["nsenter", "-m", "-t", str(self.holder.pid)]
        case.root = self.place + "/store"

    def sh(self, text):
        return self.case.check(*self.prefix, "sh", "-c", text)

    def fill(self):
        self.sh("head -c 100000000 /dev/zero > %s/other 2>/dev/null; true" % self.place)
        expect_equal(self.free(), 0)

    def free(self):
        return int(self.sh("df -k %s | tail -1" % self.place).split()[3])

    def build(self, *arguments, **options):
        return self.case.attempt(*arguments, prefix=self.prefix, export=False, env={"MBUILD_TEST_DISABLE": "upkeep"}, **options)

    def mbuild(self, *arguments):
        return self.case.run(self.prefix + [self.case.mbuild, arguments[0], "--root", self.case.root] + list(arguments[1:]))


def a_build(case, disk, *lines):
    case.dockerfile("FROM busybox", *lines)
    return disk.build("-o", "type=cacheonly")


def prune_frees(case, *flags):
    disk = Disk(case)
    expect_equal(a_build(case, disk, "RUN head -c 8000000 /dev/urandom > /big").status, 0)
    disk.fill()
    found = disk.mbuild("prune", "-f", *flags)
    expect_equal(found.status, 0)
    expect(disk.free() > 7000, "no space was freed:", disk.free())
    disk.sh("rm %s/other" % disk.place)
    again = a_build(case, disk, "RUN head -c 8000000 /dev/urandom > /big")
    expect_equal(again.status, 0)
    expect("RUN head" in str(again.cached_and_executed()[1]), "a step was taken for done whose layer is gone")


def test_prune(case):
    prune_frees(case)


def test_prune_all(case):
    prune_frees(case, "-a")


def test_prune_to_a_bound(case):
    prune_frees(case, "--max-used-space", "1kB")


def test_what_is_removed_is_no_longer_counted(case):
    disk = Disk(case)
    a_build(case, disk, "RUN head -c 8000000 /dev/urandom > /big")
    disk.fill()
    disk.mbuild("prune", "-f")
    rows = disk.mbuild("du", "--format", "{{.ID}}").text.split()
    expect_equal([row for row in rows if len(row) == 32], [], "layers that are gone")


def test_the_next_build_says_what_to_do(case):
    disk = Disk(case)
    a_build(case, disk, "RUN head -c 8000000 /dev/urandom > /big")
    disk.fill()
    failed = a_build(case, disk, "RUN head -c 4000000 /dev/urandom > /other")
    expect(failed.status in (1, 4), "status", failed.status)
    for phrase in (disk.place, "left of 25.17MB", "`mbuild prune` would free about"):
        expect(phrase in failed.text, "the message lacks", phrase)
    promised = float(re.search(r"would free about ([0-9.]+)MB", failed.text).group(1))
    before = disk.free()
    expect_equal(disk.mbuild("prune", "-f").status, 0)
    expect(abs((disk.free() - before) / 1000 - promised) < 2, "it frees", disk.free() - before, "kB, not", promised, "MB")


def test_a_run_that_fills_the_disk_and_succeeds(case):
    disk = Disk(case)
    expect_equal(a_build(case, disk).status, 0)
    before = disk.free()
    failed = a_build(case, disk, FILL)
    if failed.status == 0:  # there was room for the row
        disk.mbuild("prune", "-f")
    expect(disk.free() > before - 2000, "it left something behind:", before - disk.free(), "kB")
    expect_equal(a_build(case, disk, "RUN echo x > /x").status, 0)


def test_a_layer_without_a_row_is_counted_and_removed(case):
    """As a build leaves it that is killed between the layer and its row."""
    disk = Disk(case)
    case.dockerfile("FROM busybox", "RUN head -c 8000000 /dev/urandom > /big")
    case.attempt("-o", "type=cacheonly", prefix=disk.prefix, export=False,
                 env={"MBUILD_TEST_DISABLE": "upkeep", "MBUILD_TEST_CRASH_AT": "layer-named:2"})
    disk.fill()
    items = [json.loads(line) for line in disk.mbuild("du", "--format", "json").text.splitlines() if line.startswith("{")]
    expect(any("left behind" in json.dumps(item) for item in items), "du does not count it:", items)
    expect_equal(disk.mbuild("prune", "-f").status, 0)
    expect(disk.free() > 7000, "it stays:", disk.free())


def test_a_running_build_keeps_its_layers(case):
    disk = Disk(case, "48m")
    a_build(case, disk, "RUN head -c 8000000 /dev/urandom > /unused")
    case.dockerfile("FROM busybox", "RUN head -c 4000000 /dev/urandom > /used",
                    "RUN --mount=type=cache,target=/c touch /c/here; while ! test -e /c/go; do sleep 0.1; done",
                    "RUN test -s /used")
    running = case._start(disk.prefix + case.command("-o", "type=cacheonly"), dict(os.environ, MBUILD_TEST_DISABLE="upkeep"), case.dir)
    disk.sh("until ls %s/fs/*/mounts/*/here 2>/dev/null; do sleep 0.1; done" % case.root)
    disk.fill()
    expect_equal(disk.mbuild("prune", "-f").status, 0)
    disk.sh("rm %s/other; for c in %s/fs/*/mounts/*; do touch $c/go; done" % (disk.place, case.root))
    text = running.communicate()[0]
    expect_equal(running.returncode, 0, text)
