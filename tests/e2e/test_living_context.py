"""Build contexts that change while they are read, and what a context may not reach."""
import os
import subprocess
import tarfile
import threading

from support import Build, expect, expect_equal, quick


class Writer:
    """Calls `write(n)` with n = 0, 1, ... until the block ends."""

    def __init__(self, write):
        self._write, self._done = write, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        n = 0
        while not self._done.is_set():
            self._write(n)
            n += 1

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


@quick
def test_the_log_of_the_build_itself(case):
    case.write("app", "app\n")
    case.dockerfile("FROM busybox", "COPY . /src/", "RUN cp -r /src /copy")
    log = os.path.join(case.context, "build.log")
    output = case.next_output()
    for _ in range(4):
        with open(log, "wb") as f:
            status = subprocess.run(case.command(output=output), stdout=f, stderr=f, cwd=case.dir).returncode
        with open(log, "rb") as f:
            text = f.read()
        expect_equal(status, 0, text.decode())
    tree = Build(status, text.decode(), output).tree()
    copied = tree["src/build.log"].data
    expect(text.startswith(copied), "the log in the image is not a part of the log")
    expect_equal(tree["copy/build.log"].data, copied, "in the layer above")


def test_a_log_that_grows(case):
    path = case.write("app.log", "")
    case.dockerfile("FROM busybox", "COPY . /src/", "RUN --mount=type=bind,target=/ctx cp /ctx/app.log /seen")
    with open(path, "ab", buffering=0) as log:
        with Writer(lambda n: log.write(b"line %07d\n" % n)):
            images = [case.build("--no-cache").tree() for _ in range(3)]
    with open(path, "rb") as f:
        whole = f.read()
    for tree in images:
        for name in ("src/app.log", "seen"):
            expect(whole.startswith(tree[name].data), name, "is not a part of the log")


def test_files_that_come_and_go(case):
    case.write("kept", "kept")
    path = lambda n: os.path.join(case.context, "tmp.%d" % (n % 50))

    def write(n):
        with open(path(n), "w") as f:
            f.write("x")
        for name in (path(n + 25), path(n + 30)):
            if os.path.exists(name):
                os.unlink(name)

    case.dockerfile("FROM busybox", "COPY . /src/")
    with Writer(write):
        for _ in range(5):
            expect_equal(case.build().file("src/kept"), "kept")


def test_names_that_change_their_type(case):
    """A name is a file, a link, a directory or nothing, whichever it was when it was read."""
    path = os.path.join(case.context, "it")

    def write(n):
        if os.path.isdir(path) and not os.path.islink(path):
            os.unlink(os.path.join(path, "inner"))
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if n % 3 == 0:
            os.symlink("kept", path)
        elif n % 3 == 1:
            os.mkdir(path)
            open(os.path.join(path, "inner"), "w").close()
        else:
            with open(path, "w") as f:
                f.write("content")

    case.write("kept", "kept")
    case.dockerfile("FROM busybox", "COPY . /src/")
    with Writer(write):
        for _ in range(6):
            expect_equal(case.build().file("src/kept"), "kept")


def test_a_file_that_is_replaced(case):
    """Each version is there as a whole, and a later build has the last one."""
    versions = [bytes([65 + n]) * (200000 + n) for n in range(4)]

    def write(n):
        case.write("new", versions[n % 4])
        os.rename(os.path.join(case.context, "new"), os.path.join(case.context, "file"))

    write(0)
    case.dockerfile("FROM busybox", "COPY file /file")
    with Writer(write):
        for _ in range(5):
            expect(case.build().tree()["file"].data in versions, "a mixture of versions")
    with open(os.path.join(case.context, "file"), "rb") as f:
        last = f.read()
    expect(case.build().tree()["file"].data == last, "not the file as it is now")


def test_an_archive_that_is_replaced(case):
    def write(n):
        path = os.path.join(case.dir, "new.tar")
        with tarfile.open(path, "w") as tar:
            for k in range(20):
                name = os.path.join(case.dir, "part")
                with open(name, "w") as f:
                    f.write(str(n))
                tar.add(name, "d/%d" % k)
        os.rename(path, os.path.join(case.context, "a.tar"))

    write(0)
    case.dockerfile("FROM busybox", "ADD a.tar /a/")
    with Writer(write):
        for _ in range(5):
            tree = case.build().tree()
            expect_equal(len({tree["a/d/%d" % k].data for k in range(20)}), 1, "versions in one unpacked archive")


@quick
def test_a_mounted_directory_keeps_its_mode(case):
    case.write("d/f", "x")
    os.chmod(os.path.join(case.context, "d"), 0o2710)
    case.dockerfile("FROM busybox", "RUN --mount=type=bind,source=d,target=/d stat -c %a /d >/mode")
    expect_equal(case.build().file("mode"), "2710")
    os.chmod(os.path.join(case.context, "d"), 0o777)
    expect_equal(case.build().file("mode"), "777")


@quick
def test_a_context_shows_no_other_file(case):
    secret = os.path.join(case.dir, "secret")
    with open(secret, "w") as f:
        f.write("FROM hidden-word\n")

    def placed(name, target):
        path = os.path.join(case.context, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)
        return path

    for target in (secret, "../secret", "/dev/zero"):
        placed("Dockerfile", target)
        build = case.fails(status=2, says=["Dockerfile", target, "not in the build context"])
        expect("hidden-word" not in build.text, "a line of the file is shown")
    os.unlink(os.path.join(case.context, "Dockerfile"))
    os.mkfifo(os.path.join(case.context, "Dockerfile"))
    case.fails(status=2, says=["no regular file"])
    os.unlink(os.path.join(case.context, "Dockerfile"))
    case.dockerfile("FROM busybox", "COPY f /")
    case.write("f", "x")
    for name in (".dockerignore", "Dockerfile.dockerignore"):
        for target in (secret, "/dev/zero"):
            path = placed(name, target)
            for options in ((), ("-f", os.path.join(case.context, "Dockerfile"))):
                case.fails(*options, status=2, says=[name, "not in the build context"])
        os.unlink(path)
    # Within the context links lead where they say; a file that the user names may be anywhere.
    os.rename(os.path.join(case.context, "Dockerfile"), os.path.join(case.context, "f.real"))
    placed("Dockerfile", "/f.real")
    case.build()
    os.rename(os.path.join(case.context, "f.real"), os.path.join(case.dir, "elsewhere"))
    case.build("-f", placed("Dockerfile", os.path.join(case.dir, "elsewhere")))
    case.fails("-f", "/dev/zero", status=2, says=["16 MiB"])
