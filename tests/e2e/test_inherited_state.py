"""What a process has from whoever started it, its signals, descriptors, limits and environment, does no harm."""
import os
import pty
import re
import signal
import subprocess

from support import HANG, expect, expect_equal, quick


def runs(case, script, *arguments, env=None, **options):
    """The build, started by a script as "$@"."""
    case.write("a", "a\n")
    case.dockerfile("FROM busybox", "RUN grep -e Sig /proc/self/status; echo done", "COPY a /a")
    build = case.attempt("--no-cache", "-o", "type=cacheonly", *arguments, export=False,
                         prefix=["bash", "-c", script + '\nexec "$@"', "bash"], env=env, **options)
    expect_equal(build.status, 0, script)
    return build


@quick
def test_signals(case):
    """Ignored and blocked ones, which a step does not see either."""
    build = runs(case, "trap '' CHLD PIPE ALRM USR1 HUP")
    for name in ("SigBlk", "SigIgn"):
        expect(re.search(name + r":\s*0+\s", build.text), "the step has signals in", name)
    blocking = ["python3", "-c", "import os, signal, sys\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\nos.execvp(sys.argv[1], sys.argv[1:])"]
    build = case.attempt("--no-cache", "-o", "type=cacheonly", export=False, prefix=blocking)
    expect_equal(build.status, 0, "with all signals blocked")
    expect(re.search(r"SigBlk:\s*0+\s", build.text), "the step has blocked signals")


@quick
def test_closed_descriptors(case):
    for closed in ("2>&-", "<&-", ">&-", "<&- >&- 2>&-"):
        runs(case, "exec " + closed)
    case.dockerfile("FROM busybox")
    lost = case.attempt("-o", "-", export=False, prefix=["bash", "-c", 'exec >&-; "$@"', "bash"])
    expect_equal(lost.status, 2, "an image was written to a closed standard output")


@quick
def test_limits(case):
    for limit in ("-s 512", "-s 64", "-n 64", "-f 1000", "-c 0"):
        runs(case, "ulimit " + limit)
    case.dockerfile("FROM busybox", "RUN true")
    for limit, said in (("-n 11", "ulimit -n"), ("-f 300", "ulimit -f")):
        build = case.attempt(export=True, root=case.new_directory("store"),
                             prefix=["bash", "-c", 'ulimit %s; exec "$@"' % limit, "bash"])
        expect(0 < build.status < 128 and said in build.text, "with ulimit", limit, "status", build.status)


def test_a_mask_that_takes_the_owners_permissions(case):
    for number, mask in enumerate(("0777", "0077", "0")):
        runs(case, "umask " + mask, root=os.path.join(case.dir, "store-%d" % number))


def test_descriptors_are_not_kept(case):
    """What runs on after a build holds nothing open that whoever started the build waits for."""
    case.dockerfile("FROM busybox", "RUN cat /proc/sys/kernel/random/uuid > /x")
    read, write = os.pipe()
    process = subprocess.Popen(case.command(), pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    expect_equal(process.wait(HANG), 0)
    for pid in case.processes_named("internal-upkeep\0" + case.root):
        try:
            held = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
        except OSError:
            continue
        expect(os.readlink("/proc/self/fd/%d" % read) not in held, "a descriptor was handed on")
    os.close(read)


@quick
def test_no_home(case):
    """Without a home directory the store is elsewhere, and a word says where and what chooses another."""
    case.dockerfile("FROM busybox")
    place = "env HOME=/ XDG_DATA_HOME= MBUILD_ROOT= "
    text = case.run(["sh", "-c", place + case.mbuild + " du"]).text
    expect("--root DIR" in text and "$HOME is /" in text, "HOME=/ is not told")
    text = case.run(["sh", "-c", "unset HOME XDG_DATA_HOME MBUILD_ROOT; %s du" % case.mbuild]).text
    expect("--root DIR" in text and "$HOME is not set" in text, "no HOME is not told")
    case.build(env={"HOME": "/"})
    expect("NOTE" not in case.build(env={"HOME": "/"}).text, "a word about a store that was named")
    expect("can't be written" in case.run([case.mbuild, "du"], env={"HOME": "/proc/sys"}).text)


@quick
def test_removed_current_directory(case):
    case.dockerfile("FROM busybox", "RUN true")
    gone = case.new_directory("gone")
    away = ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', gone]
    expect_equal(case.attempt(prefix=away).status, 0)
    os.mkdir(gone)
    case.fails(prefix=away, context=".", status=2, says=["has been removed"])
    os.mkdir(gone)
    case.fails(prefix=away, root="store", status=2, says=["current directory", "full path"])


def test_environment_without_anything(case):
    case.dockerfile("FROM busybox", "RUN true")
    expect_equal(case.attempt(prefix=["env", "-i"]).status, 0)
    expect_equal(case.attempt(env={"LC_ALL": "xx_YY.none", "TMPDIR": "/no/such", "BIG": "x" * 100000}).status, 0)


def test_a_lost_terminal_ends_the_build(case):
    """As Ctrl-C does; a build that was told to ignore it runs on."""
    for ignored in (False, True):
        case.dockerfile("FROM busybox", "RUN sleep %d; echo %d" % (1 if ignored else 60, ignored), "RUN echo later")
        master, slave = pty.openpty()
        # Whatever the tests themselves were started with (nohup).
        answer = signal.SIG_IGN if ignored else signal.SIG_DFL
        process = subprocess.Popen(case.command("--no-cache"), stdin=slave, stdout=slave, stderr=slave,
                                   start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGHUP, answer))
        os.close(slave)
        seen = b""
        while b"RUN sleep" not in seen:
            seen += os.read(master, 4096)
        os.close(master)
        process.send_signal(signal.SIGHUP)
        expect_equal(process.wait(HANG), 0 if ignored else 130)
        expect_equal(case.work_directories(), [])


def test_ignored_interrupts_stay_ignored(case):
    """A shell ignores SIGINT for what it runs in the background."""
    case.dockerfile("FROM busybox", "RUN echo started; sleep 1; echo %s" % case.nonce)
    process = case._start(["sh", "-c", "trap '' INT; exec \"$@\"", "sh"] + case.command(), dict(os.environ), case.dir)
    for line in process.stdout:
        if re.match(r"#\d+ [0-9.]+ started", line):
            break
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    expect_equal(process.wait(HANG), 0)
