"""What is damaged in a store is a miss and is made anew: the same build, in one run, gives what an empty store gives."""
import os
import random
import shutil

from registry import Registry
from support import MARK, expect, expect_equal

REPRODUCIBLE = {"SOURCE_DATE_EPOCH": "1000000000"}


def build(case, **options):
    return case.build("--reproducible", env=dict(REPRODUCIBLE, MBUILD_TEST_DISABLE="upkeep"), **options)


def prepared(case):
    """The digests of an image that is in the store with all that a build leaves there."""
    case.write("tree/a", b"a" * 300000)
    case.write("tree/b", b"b" * 300000)
    case.dockerfile("FROM busybox", "COPY tree /tree", "RUN sort /tree/a > /sorted", "RUN --mount=type=cache,target=/c echo x > /c/x; echo y > /y")
    wanted = build(case).digests()
    expect_equal(os.path.getsize(os.path.join(case.root, "index.db-wal")), 0, "what the log of the index holds")
    return wanted


def healed(case, wanted, what):
    expect_equal(build(case).digests(), wanted, what)
    again = build(case)
    expect_equal((again.digests(), again.cached_and_executed()[1]), (wanted, []), what + ", second build")


def blobs(case):
    directory = os.path.join(case.root, "blobs", "sha256")
    return sorted(os.path.join(directory, name) for name in os.listdir(directory))


def spoil(path, how):
    size = os.path.getsize(path)
    if how == "gone":
        os.unlink(path)
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "cut":
        os.truncate(path, size // 2)
    elif how == "longer":
        with open(path, "ab") as f:
            f.write(b"more")
    elif how == "changed":
        with open(path, "r+b") as f:
            f.seek(size // 2)
            byte = f.read(1)
            f.seek(size // 2)
            f.write(bytes([byte[0] ^ 255]))
    elif how == "a directory":
        os.unlink(path)
        os.mkdir(path)
    elif how == "a link":
        os.unlink(path)
        os.symlink("/nowhere", path)


HOW = ("gone", "empty", "cut", "longer", "changed", "a directory", "a link")


def test_blobs(case):
    wanted = prepared(case)
    for how in HOW:
        for path in blobs(case):
            if os.path.isfile(path):
                spoil(path, how)
        healed(case, wanted, "blobs: " + how)


def test_blobs_of_a_registry(case):
    server = Registry(case)
    server.put_base()
    case.dockerfile("FROM %s/base/busybox" % server.host, MARK + "/mark")
    alone = {"MBUILD_TEST_DISABLE": "upkeep"}
    first = case.build(env=alone)
    for how in HOW:
        for path in blobs(case):
            if os.path.isfile(path):
                spoil(path, how)
        shutil.rmtree(case.root + "/fs")
        expect_equal(case.build(env=alone).layers()[:-1], first.layers()[:-1], how)


def test_pushing_a_damaged_blob(case):
    server = Registry(case)
    prepared(case)
    for path in blobs(case):
        spoil(path, "changed")
    case.build("--reproducible", "-t", server.host + "/healed:1", "--push", export=False, env=REPRODUCIBLE)
    case.dockerfile("FROM %s/healed:1" % server.host, "RUN test -s /sorted")
    case.build(root=case.dir + "/elsewhere")


def test_into_a_pipe(case):
    """What was written to one can't be taken back."""
    wanted = prepared(case)
    for path in blobs(case):
        spoil(path, "changed")
    output = case.next_output()
    command = case.command("--reproducible", "-o", "type=oci,dest=-")
    found = case.run(["sh", "-c", '"$@" 2>/dev/null | cat > "$0"', output] + command, env=REPRODUCIBLE, output=output)
    expect_equal(found.digests(), wanted)


def test_pages_of_the_index(case):
    wanted = prepared(case)
    generator = random.Random(int(os.environ.get("MBUILD_TEST_SEED", "17")))
    index = os.path.join(case.root, "index.db")
    size = os.path.getsize(index)
    for page in range(0, size // 4096, 3):
        with open(index, "r+b") as f:
            f.seek(4096 * page)
            f.write(bytes(4096) if page % 2 else generator.randbytes(4096))
        healed(case, wanted, "page %d of %d" % (page, size // 4096))
    for command in (["prune", "-f"], ["prune", "-a", "-f"], ["du"], ["images"]):
        build(case, export=False)
        with open(index, "r+b") as f:
            f.seek(4096)
            f.write(generator.randbytes(os.path.getsize(index) - 4096))
        case.check(case.mbuild, command[0], "--root", case.root, *command[1:])
        healed(case, wanted, " ".join(command))


def test_files_of_the_index(case):
    wanted = prepared(case)
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        for how in HOW:
            path = os.path.join(case.root, name)
            if not os.path.lexists(path) or os.path.isfile(path) and os.path.getsize(path) == 0:
                with open(path, "wb") as f:
                    f.write(b"not what it should be" * 1000)
            spoil(path, how) if how != "a link" else None
            healed(case, wanted, "%s: %s" % (name, how))


def test_layers(case):
    wanted = prepared(case)
    layers = [os.path.join(case.root, "fs", name, "layers") for name in os.listdir(os.path.join(case.root, "fs"))]
    for how in ("gone", "a file"):
        for directory in layers:
            for name in os.listdir(directory):
                shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
                if how == "a file":
                    open(os.path.join(directory, name), "w").close()
        healed(case, wanted, "layers: " + how)


def test_lists_of_contents(case):
    wanted = prepared(case)
    for how in HOW:
        for directory in [os.path.join(case.root, "fs", name, "contents") for name in os.listdir(case.root + "/fs")]:
            for name in os.listdir(directory):
                spoil(os.path.join(directory, name), how) if os.path.isfile(os.path.join(directory, name)) else None
        case.write("tree/a", b"c" * 1000)
        build(case)
        case.write("tree/a", b"a" * 300000)
        healed(case, wanted, "contents: " + how)


def test_the_version(case):
    wanted = prepared(case)
    for how in HOW:
        spoil(os.path.join(case.root, "VERSION"), how)
        healed(case, wanted, "VERSION: " + how)


def test_locks(case):
    wanted = prepared(case)
    locks = case.root + "/locks"
    for how in ("directories", "links", "no rights", "gone", "a file"):
        for name in os.listdir(locks):
            path = os.path.join(locks, name)
            if how in ("directories", "links") and os.path.isfile(path):
                spoil(path, "a directory" if how == "directories" else "a link")
            elif how == "no rights":
                os.chmod(path, 0)
        if how in ("gone", "a file"):
            for name in os.listdir(locks):  # an ordinary user can't empty what has no rights
                os.chmod(os.path.join(locks, name), 0o700)
            shutil.rmtree(locks)
        if how == "a file":
            open(locks, "w").close()
        healed(case, wanted, "locks: " + how)
        case.check(case.mbuild, "prune", "--root", case.root, "--filter", "type=none", "-f")


def test_an_image_that_is_kept(case):
    """It is none, then: the registry is asked."""
    server = Registry(case)
    server.put_base()
    name = server.host + "/base/busybox:latest"
    case.dockerfile("FROM busybox", "RUN echo kept > /kept")
    case.build("-t", name, "-o", "type=image", export=False)
    case.dockerfile("FROM " + name, "RUN test -e /kept && echo kept > /which || echo other > /which")
    expect_equal(case.build().file("which"), "kept")
    for path in blobs(case):
        spoil(path, "cut")
    expect_equal(case.build().file("which"), "other")
