"""Containers when things go wrong around them: nothing is left, and what they use stays."""
import json
import os
import random
import signal
import subprocess
import time

from support import HANG, expect, expect_equal
from test_containers import SLEEPER, image, mbuild, rows, start, until


# How often things are killed; ten times as many containers are started and removed.
ROUNDS = int(os.environ.get("MBUILD_TEST_ROUNDS", "0"))


def left_of(case):
    """What should not outlive the containers of a store."""
    maps = os.path.join(case.root, "fs")
    found = list(case.work_directories())
    for name in os.listdir(maps):
        containers = os.path.join(maps, name, "containers")
        for entry in os.listdir(containers) if os.path.isdir(containers) else []:
            below = os.path.join(containers, entry)
            found += set(os.listdir(below)) - {".making"} if entry == "names" else [below]
    with open("/proc/self/mountinfo") as f:
        found += [line for line in f if case.root in line]
    return found + case.processes_named(case.root)


def expect_nothing_left(case):
    # Whoever works in the store next sweeps what the dead have left.
    case.check(case.mbuild, "run", "--rm", "--root", case.root, image(case), "true")
    case.settle()
    until(lambda: not left_of(case), "nothing is left, but: %s" % left_of(case))


def test_fifty_at_once(case):
    command = [case.mbuild, "run", "-d", "--root", case.root, image(case), *SLEEPER]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for _ in range(50)]
    case.processes += starting
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, *[row["ID"] for row in rows(case, "-a")]]))
    said = [process.communicate(timeout=HANG)[0].strip() for process in starting]
    expect(all(process.returncode == 0 for process in starting), said)
    expect_equal(sorted(row["ID"] for row in rows(case)), sorted(text[:12] for text in said))
    expect_equal(mbuild(case, "exec", said[49], "echo", "there"), "there")
    mbuild(case, "rm", "-f", *said)
    expect_nothing_left(case)


def test_one_after_the_other(case):
    for _ in range(10 * ROUNDS or 100):
        case.check(case.mbuild, "run", "--rm", "--root", case.root, image(case), "true")
    expect_nothing_left(case)


def test_killed_at_any_point(case):
    """Whatever is killed, what ps says is so, and nothing stays behind."""
    case.check(case.mbuild, "run", "--rm", "--root", case.root, image(case), "true")
    choice = random.Random(17)
    for round_number in range(ROUNDS or 30):
        process = subprocess.Popen([case.mbuild, "run", "-d", "--root", case.root, image(case), *SLEEPER],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        case.processes.append(process)
        time.sleep(choice.random() * 0.3)
        there = case.processes_named("internal-container\0" + case.root) + [process.pid]
        for pid in there if round_number % 2 else there[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait(timeout=HANG)
        for container in json.loads("[%s]" % ",".join(
                line for line in mbuild(case, "ps", "--format", "json").split("\n") if line)):
            inside = json.loads(mbuild(case, "inspect", container["ID"]))[0]["State"]["Pid"]
            # 0: it has ended between the two questions.
            expect(inside == 0 or os.path.exists("/proc/%d" % inside), "it is said to run:", container)
        names = [row["ID"] for row in rows(case, "-a")]
        if names:
            mbuild(case, "rm", "-f", *names)
        expect_equal(rows(case, "-a"), [])
    expect_nothing_left(case)


def test_what_containers_stand_on_is_not_collected(case):
    case.dockerfile("FROM busybox", "RUN echo own > /own", "CMD cat /own")
    case.check(*case.command("-t", "app"))
    mbuild(case, "run", "--name", "ended", "app")
    start(case, flags=("--name", "runs"))
    mbuild(case, "rmi", "app")
    for flags in (("-f",), ("-a", "-f")):
        mbuild(case, "prune", *flags)
        expect_equal(mbuild(case, "exec", "runs", "echo", "goes on"), "goes on")
        expect_equal(case.check(case.mbuild, "start", "-a", "--root", case.root, "ended"), "own\n")
    mbuild(case, "commit", "ended", "again")
    mbuild(case, "rm", "ended")
    expect_equal(case.check(case.mbuild, "run", "--rm", "--root", case.root, "again"), "own\n")
    mbuild(case, "rm", "-f", "runs")
    case.check(case.mbuild, "prune", "-f", "--root", case.root)
