"""mbuild run: containers in the foreground."""
import os
import pty
import signal
import subprocess
import time

from support import FOREIGN, HANG, HOST, MACHINE, expect, expect_equal, output_of, quick


def command(case, *words, flags=(), image=None):
    return [case.mbuild, "run", "--root", case.root, *flags, image or "oci-layout:%s:busybox" % case.bases, *words]


def printed(case, *words, **options):
    return case.check(*command(case, *words, **options)).strip()


def status(case, *words, **options):
    return case.run(command(case, *words, **options)).status


@quick
def test_program_and_its_status(case):
    expect_equal(printed(case, "echo", "-n", "--rm", "a b", flags=("--rm",)), "--rm a b")
    expect_equal(status(case, "true"), 0)
    expect_equal(status(case, "sh", "-c", "exit 7"), 7)
    expect_equal(status(case, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137)


@quick
def test_statuses_of_what_can_not_be_run(case):
    expect_equal(status(case, "no-such-program"), 127)
    expect_equal(status(case, "/no/such/program"), 127)
    expect_equal(status(case, "/etc"), 126)
    expect_equal(status(case, "true", flags=("--no-such-flag",)), 125)
    expect_equal(status(case, "true", flags=("-v", "nothing")), 125)
    expect_equal(status(case, "true", image="oci-layout:%s/none" % case.dir), 125)
    expect_equal(case.run([case.mbuild, "run", "--root", case.root]).status, 125)


@quick
def test_image_that_the_store_keeps(case):
    case.dockerfile("FROM busybox", "RUN mkdir /work && chown 1234 /work", "ENV A=1 B=2",
                    "USER 1234", "WORKDIR /work", 'ENTRYPOINT ["/bin/sh", "-c"]', 'CMD ["id -u; pwd; echo $A $B"]')
    case.build("-t", "app:1", "-o", "type=image", export=False)
    expect_equal(printed(case, image="app:1").split("\n"), ["1234", "/work", "1 2"])
    expect_equal(printed(case, "echo $A$B$C", image="app:1", flags=("-e", "A=x", "-e", "C=3")), "x23")
    expect_equal(printed(case, "-u", image="app:1", flags=("--entrypoint", "id", "-u", "0", "-w", "/")), "0")
    case.fails_to_run(command(case, flags=("--pull", "never"), image="other:1"), "the store has no image other:1",
                      status=125)


def test_archive(case):
    case.dockerfile("FROM busybox", "RUN echo there > /file")
    archive = case.build().output
    expect_equal(printed(case, "cat", "/file", image=archive), "there")


def test_other_platform(case):
    expect_equal(printed(case, "uname", "-m", flags=("--platform", FOREIGN)), MACHINE[FOREIGN])
    expect_equal(printed(case, "uname", "-m"), MACHINE[HOST])


@quick
def test_variables(case):
    with open(os.path.join(case.dir, "variables"), "w") as f:
        f.write("# comment\nA=from file\nHERE\n")
    text = case.check(*command(case, "env", flags=("--env-file", os.path.join(case.dir, "variables"), "-e", "B=2",
                                                   "--hostname", "box")), env={"HERE": "value"})
    for line in ("A=from file", "HERE=value", "B=2", "HOSTNAME=box", "HOME=/root"):
        expect(line in text.split("\n"), line, "is not in", text)


@quick
def test_what_it_writes_is_gone(case):
    printed(case, "sh", "-c", "echo x > /new")
    expect_equal(status(case, "test", "-e", "/new"), 1)
    expect_equal(case.work_directories(), [])


@quick
def test_streams(case):
    process = subprocess.run(command(case, "sh", "-c", "cat; echo error >&2", flags=("-i",)), input=b"input",
                             capture_output=True, check=True, timeout=HANG)
    expect_equal((process.stdout, process.stderr), (b"input", b"error\n"))
    expect_equal(printed(case, "cat"), "")
    many = os.urandom(1 << 20)
    process = subprocess.run(command(case, "cat", flags=("-i",)), input=many, capture_output=True, timeout=HANG)
    expect(process.stdout == many, "bytes got lost")


def in_terminal(case, *words, flags=(), typed=b""):
    """What a container prints on a terminal, and its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(case.mbuild, command(case, *words, flags=("-it", *flags)))
    text, sent = b"", not typed
    while True:
        if not sent and b"ready" in text:
            os.write(terminal, typed)
            sent = True
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(terminal)
    return text.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@quick
def test_terminal(case):
    text, code = in_terminal(case, "sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all; exit 3")
    expect_equal((text, code), ("/dev/pts/0\nall\n", 3))
    text, code = in_terminal(case, "sh", "-c", "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done",
                             typed=b"\x03")
    expect("caught" in text, text)
    expect_equal(code, 5)
    text, code = in_terminal(case, "sh", "-c", "echo ready; read line; echo got $line", typed=b"words\r", flags=("--init",))
    expect("got words" in text and code == 0, text, code)
    case.fails_to_run(command(case, "true", flags=("-it",)), "not a TTY", status=125)


@quick
def test_signals_reach_the_program(case):
    for flags in ((), ("--init",)):
        process = subprocess.Popen(
            command(case, "sh", "-c", "trap 'echo ended; exit 4' TERM; echo ready; while :; do sleep 0.1; done",
                    flags=flags), stdout=subprocess.PIPE, text=True, cwd=case.dir)
        case.processes.append(process)
        expect_equal(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        expect_equal(output_of(process), "ended\n")
        expect_equal(process.returncode, 4)


def test_init_ends_a_program_that_has_no_handler(case):
    process = subprocess.Popen(command(case, "sh", "-c", "echo ready; exec sleep 1000", flags=("--init",)),
                               stdout=subprocess.PIPE, text=True, cwd=case.dir)
    case.processes.append(process)
    expect_equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGTERM)
    output_of(process)
    expect_equal(process.returncode, 143)


@quick
def test_directories_of_the_host(case):
    shared = case.new_directory("shared")
    with open(os.path.join(shared, "file"), "w") as f:
        f.write("of the host")
    expect_equal(printed(case, "cat", "/data/file", flags=("-v", shared + ":/data")), "of the host")
    printed(case, "sh", "-c", "echo made > /data/made; mkdir /data/dir", flags=("-v", shared + ":/data"))
    for name in ("made", "dir"):
        made = os.stat(os.path.join(shared, name))
        expect_equal((made.st_uid, made.st_gid), (os.geteuid(), os.getegid()), "owner of " + name)
    for flag in (("-v", shared + ":/data:ro"), ("--mount", "type=bind,src=%s,dst=/data,readonly" % shared)):
        expect_equal(status(case, "touch", "/data/other", flags=flag), 1)
    expect_equal(sorted(os.listdir(shared)), ["dir", "file", "made"])
    printed(case, "true", flags=("-v", os.path.join(case.dir, "new") + ":/data"))
    expect(os.path.isdir(os.path.join(case.dir, "new")), "-v makes a directory")
    case.fails_to_run(command(case, "true", flags=("--mount", "type=bind,src=%s/none,dst=/d" % case.dir)),
                      "bind source path does not exist", status=125)
    file = os.path.join(shared, "file")
    expect_equal(printed(case, "cat", "/etc/one", flags=("-v", file + ":/etc/one:ro")), "of the host")


@quick
def test_memory_and_a_root_that_can_not_be_written(case):
    expect_equal(status(case, "touch", "/x", flags=("--read-only",)), 1)
    expect_equal(status(case, "touch", "/t/x", flags=("--read-only", "--tmpfs", "/t:size=1m")), 0)
    expect("tmpfs" in printed(case, "sh", "-c", "grep ' /t ' /proc/mounts", flags=("--mount", "type=tmpfs,dst=/t")))


@quick
def test_capabilities(case):
    def held(*flags):
        text = printed(case, "sh", "-c", "grep -E 'Cap(Eff|Bnd)' /proc/self/status", flags=flags)
        return [int(line.split()[1], 16) for line in text.split("\n")]
    usual = held()
    expect_equal(usual[0] & 1 << 21, 0, "no CAP_SYS_ADMIN")
    expect_equal(held("--cap-drop", "ALL"), [0, 0])
    expect_equal(held("--cap-drop", "all", "--cap-add", "CAP_KILL"), [1 << 5, 1 << 5])
    expect_equal(held("--cap-add", "SYS_NICE"), [usual[0] | 1 << 23, usual[1] | 1 << 23])
    expect_equal(status(case, "mount", "-t", "tmpfs", "x", "/mnt", flags=("--cap-add", "ALL")), 1)


@quick
def test_networks(case):
    expect_equal(printed(case, "sh", "-c", "ls /sys/class/net", flags=("--network", "none")), "lo")
    expect("10.1.2.3\tname" in printed(case, "cat", "/etc/hosts", flags=("--add-host", "name:10.1.2.3")))


def test_main_process_that_dies_takes_the_container_with_it(case):
    process = subprocess.Popen(command(case, "sh", "-c", "echo ready; exec sleep 98765"), stdout=subprocess.PIPE,
                               text=True, cwd=case.dir)
    case.processes.append(process)
    expect_equal(process.stdout.readline(), "ready\n")
    process.kill()
    process.wait()
    process.stdout.read()  # until nobody has it open any more
    for _ in range(HANG * 10):
        if not case.processes_named("98765"):
            return
        time.sleep(0.1)
    expect(False, "the program goes on")
