"""A handler for foreign programs that the host has registered, and takes away while a build runs."""
import os
import shutil
import socket
import threading

from support import Build, FOREIGN, HOST, MACHINE, Skip, expect, expect_equal, output_of

ELF_MACHINE = {"linux/amd64": 0x3e, "linux/arm64": 0xb7}
LISTED = "/proc/sys/fs/binfmt_misc"


def registration(interpreter):
    """A line that has the kernel run programs of the foreign platform, in whatever root."""
    def escaped(data):
        return "".join("\\x%02x" % byte for byte in data)
    magic = b"\x7fELF\x02\x01\x01\0" + b"\0" * 8 + bytes((2, 0, ELF_MACHINE[FOREIGN], 0))
    mask = b"\xff" * 7 + b"\0" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
    return ":gone:M::%s:%s:%s:F" % (escaped(magic), escaped(mask), interpreter)


def host_with_handler(case, place):
    """What goes before a command: a user namespace whose binfmt_misc, at `place`, has a handler."""
    emulator = shutil.which("qemu-%s-static" % MACHINE[FOREIGN])
    if not emulator:
        raise Skip("no emulator")
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc",
              'mkdir -p "$0"; mount -t binfmt_misc none "$0"; printf %s "$1" > "$0/register"; shift; exec "$@"',
              place, registration(emulator)]
    if case.run(prefix + ["true"]).status != 0:
        raise Skip("no binfmt_misc in a user namespace")
    return prefix


def build_that_loses_it(case, place, disable=()):
    """A build with a foreign step before and one after the handler has gone."""
    prefix = host_with_handler(case, place)
    barrier = socket.create_server(("127.0.0.1", 0))
    case.at_end(barrier.close)
    barrier.settimeout(0.2)
    case.dockerfile("FROM --platform=%s busybox AS one" % FOREIGN, "RUN uname -m > /one",
                    "FROM --platform=%s busybox AS gone" % HOST, "COPY --from=one /one /",
                    "RUN nc 127.0.0.1 %d < /dev/null > /two" % barrier.getsockname()[1],
                    "FROM --platform=%s busybox" % FOREIGN, "COPY --from=gone /one /two /", "RUN uname -m > /three")
    output = case.next_output()
    # One id: there is no other in that namespace.
    switches = ",".join(("userns-ranges", "pasta", "slirp4netns") + tuple(disable))
    build = case._start(prefix + case.command(platforms=(FOREIGN,), output=output),
                        dict(os.environ, MBUILD_TEST_DISABLE=switches), case.dir)

    def take_away():
        while build.poll() is None:
            try:
                connection, _ = barrier.accept()
            except socket.timeout:
                continue
            with connection, open("/proc/%d/root%s/gone" % (build.pid, place), "w") as f:
                f.write("-1")
            return

    thread = threading.Thread(target=take_away)
    thread.start()
    text = output_of(build)
    thread.join()
    case._last = text
    return Build(build.returncode, text, output)


def finds_another_way(case, place):
    build = build_that_loses_it(case, place)
    expect_equal(build.status, 0)
    for name in ("one", "three"):
        expect_equal(build.file(name, FOREIGN), MACHINE[FOREIGN], name)


def test_a_handler_that_is_listed(case):
    """It is kept in a private instance from the first step on."""
    finds_another_way(case, LISTED)


def test_a_handler_that_is_not_listed(case):
    """When it has gone an emulator that mbuild finds takes its place."""
    finds_another_way(case, os.path.join(case.dir, "binfmt"))


def test_the_only_way(case):
    """The step that has none any more ends with what is missing, not with a format error of its shell."""
    build = build_that_loses_it(case, LISTED, disable=("binfmt-ns", "exec-trace"))
    expect_equal(build.status, 5)
    expect("binfmt" in build.text and FOREIGN in build.text, "the message does not name what is missing")
    expect("Exec format error" not in build.text, "the step was run")
