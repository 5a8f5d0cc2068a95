"""A crash of the emulator is told apart from one of the program, and the step is tried once more."""
import glob
import os

from support import FOREIGN, MACHINE, Skip, expect, expect_equal, quick

HERE = os.path.dirname(os.path.abspath(__file__))
AGAIN = "the step is tried once more, with one processor"


def step(case, name):
    """A Dockerfile whose step is a program of that name, and the environment in which an emulator crashes by it."""
    case.needs("cc")
    emulators = os.path.join(case.dir, "emulators")
    os.mkdir(emulators)
    case.check("cc", "-static", "-O1", "-o", os.path.join(emulators, "qemu-%s-static" % MACHINE[FOREIGN]),
               os.path.join(HERE, "crashing_emulator.c"))
    case.dockerfile("FROM busybox", "COPY --from=busybox /bin/busybox /" + name, 'RUN ["/%s"]' % name)
    return {"MBUILD_QEMU_DIR": emulators}


@quick
def test_a_crash_that_needs_threads(case):
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("one processor")
    made = case.build(platforms=(FOREIGN,), env=step(case, "threads"))
    expect("crashed: QEMU internal SIGSEGV {code=MAPERR, addr=0x20}, running /threads; " + AGAIN in made.text, made.text)
    expect(made.text.count("crashed:") == 1, "more than one crash")


@quick
def test_a_crash_each_time(case):
    failed = case.fails(platforms=(FOREIGN,), env=step(case, "always"), status=1,
                        says=("the emulator crashed, and again with one processor: QEMU internal SIGSEGV",
                              "running /always", "qemu-test version 9.9.9", "MBUILD_QEMU_DIR"))
    told = [line for line in failed.text.splitlines() if line.startswith("#") and AGAIN in line]
    expect_equal(len(told), 1)


def test_a_signal_that_the_program_did_not_get(case):
    case.fails(platforms=(FOREIGN,), env=step(case, "silent"), status=1,
               says=("the emulator crashed, and again with one processor: signal 11, running /silent", AGAIN))


def test_a_crash_of_the_program(case):
    failed = case.fails(platforms=(FOREIGN,), env=step(case, "program"), status=1, says=("signal 11",))
    expect(AGAIN not in failed.text and "emulator crashed" not in failed.text, failed.text)


def test_a_crash_that_the_step_survives(case):
    made = case.build(platforms=(FOREIGN,), env=step(case, "told"))
    expect("the step ended well all the same" in made.text and AGAIN not in made.text, made.text)


def test_a_program_that_kills_itself_under_the_real_one(case):
    case.dockerfile("FROM busybox", "RUN kill -SEGV $$")
    failed = case.fails(platforms=(FOREIGN,), status=1, says=("signal 11",))
    expect("emulator crashed" not in failed.text, failed.text)


def kills_itself(case, *arguments, **options):
    """The kernel ignores what the first process of a step sends itself, and QEMU would wait for its end for ever."""
    case.dockerfile("FROM busybox", 'RUN ["sh", "-c", "kill -SEGV $$"]')
    case.fails(*arguments, platforms=(FOREIGN,), status=1, says=("signal 11",), **options)


def test_the_first_process_kills_itself_without_native_programs(case):
    kills_itself(case, "--accel=off")


def test_the_first_process_kills_itself_where_execs_are_traced(case):
    kills_itself(case, env={"MBUILD_TEST_DISABLE": "binfmt-ns"})


def test_what_the_first_try_wrote_is_collected(case):
    case.fails(platforms=(FOREIGN,), env=step(case, "always"), status=1, says=("again with one processor",))
    case.check(case.mbuild, "prune", "-af", "--root", case.root)
    expect_equal(glob.glob(os.path.join(case.root, "fs", "*", "layers", "*")), [])
