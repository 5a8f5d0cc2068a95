"""Several builds share a store; a build that ends early leaves no trace."""
import os
import signal
import subprocess
import time

import oci
from support import BOTH, FOREIGN, HANG, HOST, MARK, expect, expect_equal, output_of, quick


def test_two_builds_at_once(case):
    """The common step runs once, both get its result."""
    case.write("a.txt", "a\n")
    case.dockerfile("FROM busybox", "RUN sleep 1; cat /proc/sys/kernel/random/uuid > /mark", "COPY a.txt /", MARK + "/two")
    outputs = [case.next_output() for _ in range(3)]
    running = [case.start(output=output, platforms=BOTH) for output in outputs]
    for process in running:
        text = output_of(process)
        expect_equal(process.returncode, 0, text)
    again = case.build(platforms=BOTH)
    layouts = {frozenset(again.digests().items())}
    for output in outputs:
        images = oci.Layout(output).images()
        layouts.add(frozenset((name, images[name][0]["digest"]) for name in images))
    expect_equal(len(layouts), 1, "number of different results")


def until_it_says(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line and "RUN" not in line and "Dockerfile" not in line:
            return
    expect(False, "the build ended before it said", text, "".join(lines))


def gone(case):
    """Waits until no process of the step is left; the end of a hang is a failure."""
    for _ in range(HANG * 10):
        if not case.processes_named(case.nonce):
            return
        time.sleep(0.1)
    expect(False, "processes of the step are left:", case.processes_named(case.nonce))


def endless(case, platform):
    case.dockerfile("FROM busybox", MARK + "/mark",
                    "RUN touch /half && sh -c 'echo be''gun; while :; do sleep 1; done' %s" % case.nonce)
    process = case.start(platforms=(platform,))
    until_it_says(process, "begun")
    return process


def finish(case, platform):
    """After the interruption the store still works, and knows what was finished."""
    case.dockerfile("FROM busybox", MARK + "/mark", "RUN test ! -e /half")
    case.build(platforms=(platform,))
    expect_equal(case.work_directories(), [])


@quick
def test_interrupted(case):
    process = endless(case, HOST)
    process.send_signal(signal.SIGINT)
    output_of(process)
    expect(process.returncode != 0, "an interrupted build ended with status 0")
    gone(case)
    expect_equal(case.work_directories(), [])
    finish(case, HOST)


def test_interrupted_emulated(case):
    process = endless(case, FOREIGN)
    process.send_signal(signal.SIGTERM)
    output_of(process)
    expect(process.returncode != 0, "an interrupted build ended with status 0")
    gone(case)
    finish(case, FOREIGN)


def test_killed(case):
    process = endless(case, HOST)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=HANG)
    gone(case)
    finish(case, HOST)


def test_a_failure_ends_the_rest(case):
    """The first failure cancels what runs, kills all its processes, and is the only one that is told."""
    behind = "setsid sh -c 'while :; do sleep 1; done' %s </dev/null >/dev/null 2>&1 &" % case.nonce
    case.dockerfile("FROM busybox AS slow", "RUN %s echo be''gun; while :; do sleep 1; done; echo %s" % (behind, case.nonce),
                    "FROM busybox AS copy", "COPY --from=slow / /a", MARK + "/mark",
                    "FROM busybox AS bad", "RUN %s sleep 1; exit 3" % behind, "FROM busybox", "COPY --from=slow / /a",
                    "COPY --from=bad / /b")
    process = case.start()
    text = output_of(process)
    expect_equal(process.returncode, 1, text)
    gone(case)
    errors = [line for line in text.splitlines() if line.startswith("ERROR: ")]
    expect_equal(len(errors), 1, text)
    expect("exit code: 3" in errors[0], errors[0])
    expect("exit code: 137" not in text and "signal" not in text, "the steps that were cancelled are told as failures:", text)
    expect_equal(case.work_directories(), [])


def test_interrupted_from_the_terminal(case):
    """Ctrl-C reaches all processes of the terminal's foreground group, not mbuild alone."""
    case.dockerfile("FROM busybox", MARK + "/mark", "RUN echo be''gun; sh -c 'while :; do sleep 1; done' %s" % case.nonce)
    process = subprocess.Popen(case.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, start_new_session=True)
    case.processes.append(process)
    until_it_says(process, "begun")
    os.killpg(process.pid, signal.SIGINT)
    text = output_of(process)
    expect(process.returncode > 0, "status", process.returncode)
    expect("exit code" not in text, "the step is told as failed:", text)
    gone(case)
    finish(case, HOST)


def test_interrupted_twice(case):
    process = endless(case, HOST)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    output_of(process)
    expect(process.returncode != 0, "an interrupted build ended with status 0")
    gone(case)
    finish(case, HOST)
