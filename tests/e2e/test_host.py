"""A build leaves the host as it was."""
import os

from support import BOTH, MARK, expect_equal, quick

BINFMT = "/proc/sys/fs/binfmt_misc"


def registrations():
    found = {}
    for name in sorted(os.listdir(BINFMT)) if os.path.isdir(BINFMT) else []:
        try:
            with open(os.path.join(BINFMT, name)) as f:
                found[name] = f.read()
        except OSError:
            found[name] = None
    return found


@quick
def test_binfmt_misc_is_untouched(case):
    before = registrations()
    case.dockerfile("FROM busybox", "RUN uname -m")
    case.build(platforms=BOTH)
    expect_equal(registrations(), before)


def test_no_mounts_are_left(case):
    def mounts():
        with open("/proc/self/mountinfo") as f:
            return [line for line in f if case.dir in line]
    case.dockerfile("FROM busybox", "RUN mount > /mounts")
    case.build()
    expect_equal(mounts(), [])


def test_no_processes_are_left(case):
    case.dockerfile("FROM busybox", "RUN (sh -c 'while :; do sleep 1; done' %s &) ; true" % case.nonce)
    case.build()
    expect_equal(case.processes_named(case.nonce), [])


def test_nothing_is_left_in_work(case):
    case.dockerfile("FROM busybox", MARK + "/mark", "COPY Dockerfile /", "RUN true")
    case.build(platforms=BOTH)
    expect_equal(case.work_directories(), [])
