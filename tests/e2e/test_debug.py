"""A RUN that failed is looked into: where it ran, in what it had written until then."""
import os
import pty
import re
import shutil
import time

from support import FOREIGN, HANG, HOST, MACHINE, Skip, expect, expect_equal, quick, rest_of_terminal


def debug(case, *words, status=0, env=None):
    result = case.run([case.mbuild, "debug", "--root", case.root, *words], env=env)
    expect_equal(result.status, status, "status of debug")
    return result.text


def command(case, *words, **options):
    """What a command prints in the failed step."""
    return debug(case, "--", *words, **options).split("\n    process ")[1].split("\n", 1)[1]


def read_until(terminal, wanted):
    text = b""
    while wanted not in text:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            part = b""
        expect(part, "never:", wanted, text)
        text += part
    return text


def on_terminal(case, words, typed):
    """What a program shows on a terminal of its own where the lines are typed one after another, each when what comes
    before it was shown; and its status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(words[0], words)
    text = b""
    for wanted, line in typed:
        text += read_until(terminal, wanted)
        os.write(terminal, line)
    text += rest_of_terminal(terminal)
    return text.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


FAILING = ("FROM busybox", "ARG LEVEL=3", "ENV COLOUR=green", "WORKDIR /work", "COPY given .",
           "RUN echo before > early", "RUN echo $COLOUR > late && rm given && false")


@quick
def test_a_command_in_what_a_step_had_written(case):
    case.write("given", "x")
    case.dockerfile(*FAILING)
    build = case.fails("--build-arg", "LEVEL=7", status=1, says=["mbuild debug --root " + case.root])
    expect("opens a shell" in build.text, build.text)
    expect_equal(command(case, "sh", "-c", "pwd; ls; cat late; echo $LEVEL $COLOUR"),
                 "/work\nearly\nlate\ngreen\n7 green\n")
    expect("[5/5] RUN echo" in debug(case, "--", "true") and "line 7 of the Dockerfile" in debug(case, "--", "true"))
    # What is changed there is dropped.
    command(case, "rm", "late")
    expect_equal(command(case, "cat", "late"), "green\n")
    expect_equal(debug(case, "--", "sh", "-c", "exit 9", status=9)[:3], "---")
    expect("not found" in debug(case, "--", "no-such-program", status=127))


def test_nothing_is_built_on_it(case):
    case.write("given", "x")
    case.dockerfile(*FAILING)
    case.fails(status=1)
    case.fails(status=1)
    build = case.fails(status=1)
    expect(re.search(r"CACHED", build.text), build.text)
    listed = case.check(case.mbuild, "debug", "--ls", "--root", case.root).splitlines()
    expect_equal(len(listed), 4)
    def kept():
        return len(case.check(case.mbuild, "debug", "--ls", "--root", case.root).splitlines()) - 1

    for _ in range(4):
        case.fails(status=1)
    for _ in range(HANG):  # what is as young as a build that runs stays until the next one
        if kept() == 5:
            break
        time.sleep(1)
        case.fails(status=1)
    expect_equal(kept(), 5)
    case.dockerfile(*FAILING[:-1])
    case.build()
    usage = case.check(case.mbuild, "du", "--filter", "type=exec.failed", "--format", "{{.ID}}", "--root", case.root)
    expect_equal(len(usage.splitlines()), 5)
    case.check(case.mbuild, "prune", "-f", "--root", case.root)
    expect("no longer in the store" in debug(case, "--", "true", status=4))
    expect_equal(case.check(case.mbuild, "du", "--filter", "type=exec.failed", "--format", "{{.ID}}", "--root",
                            case.root), "")


def test_the_build_can_be_named(case):
    case.write("given", "x")
    case.dockerfile(*FAILING)
    case.fails(status=1)
    case.dockerfile("FROM busybox", "RUN echo second > /file; exit 4")
    case.fails(status=1)
    builds = case.check(case.mbuild, "history", "ls", "-q", "--root", case.root).split()
    expect("[5/5]" in debug(case, builds[1], "--", "true"))
    expect("[2/2]" in debug(case, builds[0], "--", "true"))
    expect("[2/2]" in debug(case, "--", "true"))
    case.dockerfile("FROM busybox", "RUN true")
    case.build()
    expect("did not fail" in debug(case, "^0", "--", "true", status=2))


def test_nothing_is_kept_yet(case):
    case.dockerfile("FROM busybox", "RUN true")
    case.build()
    expect("no failed step is kept" in debug(case, status=2))
    expect("not expected: b" in debug(case, "a", "b", status=2))
    case.fails("--on-failure", "sh", status=2, says=["invalid --on-failure sh", "shell or stop"])


@quick
def test_mounts_and_user(case):
    case.write("tree/file", "of the context\n")
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,target=/cache,mode=0777 echo kept > /cache/one",
                    "USER 7:8",
                    "RUN --network=none --mount=type=cache,target=/cache,mode=0777 --mount=type=bind,source=tree,target=/tree"
                    " --mount=type=tmpfs,target=/memory false")
    case.fails(status=1)
    text = command(case, "sh", "-c", "cat /cache/one /tree/file; id -u; grep -c ' /memory tmpfs' /proc/mounts;"
                   " ls /sys/class/net")
    expect_equal(text, "kept\nof the context\n7\n1\nlo\n")
    expect_equal(debug(case, "-u", "root", "--", "id", "-u").splitlines()[-1], "0")


def test_secrets_are_asked_for(case):
    secret = os.path.join(case.dir, "secret")
    with open(secret, "w") as f:
        f.write("hidden-" + case.nonce)
    given = ("--secret", "id=token,src=" + secret)
    case.dockerfile("FROM busybox",
                    "RUN --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=token,target=/file false")
    case.fails(*given, status=1)
    text = debug(case, "--", "sh", "-c", "echo \"<$TOKEN>\"; ls /file || true")
    expect("It had, and has not here: --secret id=token" in text and "<>" in text, text)
    text = debug(case, *given, "--", "sh", "-c", "echo \"<$TOKEN>\"; cat /file")
    expect("has not here" not in text and text.count("hidden-" + case.nonce) == 2, text)
    kept = case.run(["grep", "-rl", "hidden-" + case.nonce, case.root])
    expect_equal((kept.status, kept.text), (1, ""))


@quick
def test_another_platform(case):
    case.dockerfile("FROM busybox", "RUN uname -m > /machine; false")
    case.fails(status=1)
    case.fails(status=1, platforms=(FOREIGN,))  # the last counts, though both failed in one second
    expect(" by " in debug(case, "--", "true") and "for " + FOREIGN in debug(case, "--", "true"))
    expect_equal(command(case, "sh", "-c", "uname -m; cat /machine"), "%s\n%s\n" % ((MACHINE[FOREIGN],) * 2))


def shell_of_build(case, *arguments, platforms=(HOST,), typed):
    words = case.command("--on-failure", "shell", *arguments, platforms=platforms)
    return on_terminal(case, words, typed)


@quick
def test_a_shell_when_a_step_fails(case):
    case.write("given", "x")
    case.dockerfile(*FAILING)
    text, status = shell_of_build(case, typed=((b"goes back", b"cat late; echo sta''te\n"), (b"state", b"exit 5\n")))
    expect("exit code: 1" in text and "\ngreen\r\n" in text, text)
    expect_equal(status, 1)  # the build's
    expect(text.index("ERROR:") < text.index("goes back") < text.index("\ngreen"), text)
    text, status = on_terminal(case, [case.mbuild, "debug", "--root", case.root],
                               ((b"goes back", b"tty; exit 6\n"),))
    expect("/dev/pts/0" in text, text)
    expect_equal(status, 6)


def test_the_shell_of_another_platform(case):
    case.dockerfile("FROM busybox", "RUN echo on > /file; false")
    text, status = shell_of_build(case, platforms=(FOREIGN,),
                                  typed=((b"goes back", b"uname -m; cat /file; exit\n"),))
    expect(MACHINE[FOREIGN] + "\r\non\r\n" in text, text)
    expect_equal(status, 1)


def test_secrets_of_the_build_are_there(case):
    secret = os.path.join(case.dir, "secret")
    with open(secret, "w") as f:
        f.write("it is known")
    case.dockerfile("FROM busybox", "RUN --mount=type=secret,id=token,env=TOKEN false")
    text, _ = shell_of_build(case, "--secret", "id=token,src=" + secret,
                             typed=((b"goes back", b"echo \"<$TOKEN>\"; exit\n"),))
    expect("<it is known>" in text, text)


def test_an_image_without_a_shell(case):
    busybox = shutil.which("busybox")
    if not busybox or b"statically" not in case.check("file", "-L", busybox).encode():
        raise Skip("no static busybox")
    case.write("data", "text of the image\n")
    case.dockerfile("FROM scratch", "COPY data /data", "RUN cat /data")
    for platform in (HOST, FOREIGN):
        text, status = shell_of_build(case, platforms=(platform,),
                                      typed=((b"goes back", b"cat /data; ls -a /; exit\n"),))
        expect("\ntext of the image" in text, text)
        expect_equal(status, 1)


def test_ctrl_c_is_the_shells(case):
    case.dockerfile("FROM busybox", "RUN false")
    # Said by the job that is to be ended: until the terminal is the job's, the shell would have the signal, and go on.
    job = b"sh -c 'echo rea\"\"dy; exec sleep 1000'\n"
    text, status = shell_of_build(case, typed=((b"goes back", job), (b"ready", b"\x03"),
                                               (b"^C", b"echo a''live; exit\n")))
    expect("alive" in text, text)
    expect_equal(status, 1)
    for _ in range(HANG * 10):
        if not case.work_directories():
            return
        time.sleep(0.1)
    expect(False, case.work_directories())
