"""The program of tests/escape runs as a step, tries all that is known to lead out of a sandbox, and finds no way."""
import ctypes
import errno
import os
import re
import socket
import subprocess

from support import FOREIGN, HOST, Skip, expect, expect_equal, quick

COMPILERS = {"linux/amd64": "x86_64-linux-gnu-gcc", "linux/arm64": "aarch64-linux-gnu-gcc"}


def compile_for(case, platform, name="escape", flags=()):
    compiler = COMPILERS[platform]
    case.needs(compiler)
    subprocess.run([compiler, "-std=gnu11", "-O1", "-static", *flags, "-o", os.path.join(case.context, name),
                    os.path.join(case.top, "tests", "escape", name + ".c")], check=True)


def tried(case, *arguments, platform=HOST, env=None, flags=(), run="RUN", user=None, prefix=()):
    """The text that the program prints as a step, and its exit status in the last line."""
    compile_for(case, platform)
    case.dockerfile("FROM busybox", "RUN mkdir -p /tmp && chmod 1777 /tmp", "COPY escape /escape",
                    *(["USER " + user] if user else []),
                    "%s /escape %s > /tmp/result 2>&1; echo $? >> /tmp/result" % (run, " ".join(arguments)))
    return case.build(*flags, platforms=(platform,), env=env, prefix=prefix).file("tmp/result", platform)


def shared_memory(case):
    """Arguments for a segment of the host's that every user may read."""
    create, remove = 0o1666, 0
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0, 4096, create)
    if segment < 0:
        return []
    case.at_end(lambda: libc.shmctl(segment, remove, None))
    return ["shm=%d" % segment]


def finds_nothing(case, *arguments, **options):
    text = tried(case, *arguments, *shared_memory(case), **options)
    expect("0 doors open" in text and text.endswith("\n0"), text)


NEITHER = "pasta,slirp4netns"


def own_network(case):
    """Whether steps have a network of the build's own here."""
    text = case.run([case.mbuild, "doctor", "--root", case.root]).text
    return re.search(r"a network of a build's own *:? *by (pasta|slirp)", text) is not None


def identity():
    """Arguments for where root inside is root outside: ids that are mapped to themselves."""
    return ["identity-map"] if os.geteuid() == 0 else []


class Services:
    """Something that listens on the host's loopback, and at an abstract socket."""

    def __init__(self, case):
        self.server, self.abstract = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0" + case.nonce)
        self.abstract.listen()
        self.arguments = ["own-network", "loopback=%d" % self.server.getsockname()[1], "abstract=" + case.nonce]
        case.at_end(self.server.close)
        case.at_end(self.abstract.close)


@quick
def test_as_root(case):
    network = Services(case).arguments if own_network(case) else []
    finds_nothing(case, *network)


@quick
def test_in_a_container(case):
    compile_for(case, HOST)
    network = Services(case).arguments if own_network(case) else []
    for flags in ((), ("--user", "1000:1000"), ("--init", "--cap-add", "ALL", "-v", case.dir + ":/shared")):
        text = case.run([case.mbuild, "run", "--root", case.root, "-v", os.path.join(case.context, "escape") + ":/escape",
                         *flags, "oci-layout:%s:busybox" % case.bases, "/escape", *network, *shared_memory(case)]).text
        # What was asked for is no door.
        found = [line for line in text.split("\n") if line.startswith("OPEN") and "--cap-add" not in flags]
        found += [line for line in text.split("\n") if line.startswith("OPEN") and ": Cap" not in line]
        expect(not found and "kinds tried" in text, text)
    root = ("--root", case.root)
    case.check(case.mbuild, "run", "-d", "--name", "one", *root, "-v", os.path.join(case.context, "escape") + ":/escape",
               "oci-layout:%s:busybox" % case.bases, "sleep", "1000")
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "one", *root]))
    text = case.run([case.mbuild, "exec", *root, "one", "/escape", *network, *shared_memory(case)]).text
    # The processes of its container are not others' processes.
    found = [line for line in text.split("\n") if line.startswith("OPEN") and "another process" not in line]
    expect(not found and "kinds tried" in text, text)


def test_as_another_user(case):
    network = Services(case).arguments if own_network(case) else []
    finds_nothing(case, *network, user="1000:1000")


def test_as_root_with_the_hosts_ids(case):
    case.needs_root()
    network = Services(case).arguments if own_network(case) else []
    finds_nothing(case, *network, *identity(), env={"MBUILD_TEST_DISABLE": "root-map"})


def test_with_less_isolation(case):
    """Where no /proc and no user namespace of its own can be had."""
    finds_nothing(case, *identity(), flags=["--allow-less-isolation"],
                  env={"MBUILD_TEST_DISABLE": "proc-mount,step-userns,root-map," + NEITHER})


def test_without_a_network(case):
    finds_nothing(case, *Services(case).arguments, run="RUN --network=none")


def test_on_the_network_of_the_host(case):
    """Where no other can be made."""
    finds_nothing(case, env={"MBUILD_TEST_DISABLE": NEITHER})


def test_with_what_the_host_has_mounted_in_sys(case):
    """File systems below /sys are locked to it in a user namespace; they are covered."""
    case.needs_root()
    mounted = ["unshare", "--mount", "sh", "-euc",
               "mount -t tmpfs -o mode=755 none /sys/module; mkdir /sys/module/deep '/sys/module/a b'; "
               "mount -t tmpfs -o mode=755 none /sys/module/deep; echo secret > /sys/module/deep/file; "
               "mount -t tmpfs -o mode=755 none '/sys/module/a b'; echo secret > '/sys/module/a b/file'; "
               "mount --bind /sys/module/deep/file /sys/kernel/uevent_seqnum; "
               '[ ! -d /sys/kernel/debug ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null || true; exec "$@"',
               "sh"]
    for number, (run, disable) in enumerate((("RUN", NEITHER), ("RUN", "root-map," + NEITHER),
                                             ("RUN --network=none", ""))):
        text = tried(case, *(identity() if "root-map" in disable else []), run=run, prefix=mounted,
                     flags=("--no-cache",), env={"MBUILD_TEST_DISABLE": disable})
        expect("0 doors open" in text, number, text)


def test_with_one_id(case):
    finds_nothing(case, *identity(), env={"MBUILD_TEST_DISABLE": "userns-ranges," + NEITHER})


def test_with_overlays_of_older_kernels(case):
    finds_nothing(case, env={"MBUILD_TEST_DISABLE": "lowerdir-plus," + NEITHER})


def test_emulated(case):
    finds_nothing(case, platform=FOREIGN, env={"MBUILD_TEST_DISABLE": NEITHER})


def test_sockets_of_32_bit_programs(case):
    """They are made for the program, in its own network, since the filter can't see what it asks for."""
    if HOST != "linux/amd64":
        raise Skip("socketcall is i386's")
    compile_for(case, HOST, "socketcall")
    case.dockerfile("FROM busybox", "COPY socketcall /", "RUN --network=none /socketcall > /result || true")
    expect_equal(case.build().file("result"), "1 of the network, raw: 0")


def test_doors_are_seen_where_they_are_open(case):
    """What is allowed to an insecure step is what the program calls open."""
    text = tried(case, run="RUN --security=insecure", flags=("--allow", "security.insecure"))
    for door in ("system call mount tmpfs", "no seccomp filter", "capabilities: CapEff:", "unshare: ",
                 "system call keyctl"):
        expect("OPEN " + door in text, "the program does not see this door:", door, "\n" + text)
    expect_equal(text.splitlines()[-1], "1")


def test_a_loader_that_is_run_by_a_program_of_the_host(case):
    """The image makes mbuild execute itself, with a loader of the image's: mbuild's file can't be written through it."""
    compile_for(case, HOST, "interpreter", ("-nostdlib", "-ffreestanding", "-fno-stack-protector"))
    with open(case.mbuild, "rb") as f:
        loader = re.search(rb"/lib[^\0 ]*/ld-[^\0 ]*", f.read(1 << 16))
    if not loader:
        raise Skip("mbuild has no loader here")
    case.dockerfile("FROM busybox", "COPY --chmod=755 interpreter " + loader.group().decode(), 'RUN ["/proc/self/exe"]')
    # Root has to keep all ids as they are: of real root's map the step may not write the file in any case.
    build = case.fails(status=1, says=["exit code: "], env={"MBUILD_TEST_DISABLE": "root-map"})
    refused = errno.EROFS if os.access(case.mbuild, os.W_OK) else errno.EACCES
    expect("exit code: %d\n" % refused in build.text, build.text)
