"""Whatever ends a build early, the next one gives what an empty store gives, and nothing is left behind."""
import errno
import os
import random
import shutil
import signal
import time

from registry import Registry
from support import HANG, HOST, MARK, Skip, expect, expect_equal, output_of

# Named places in the program (base/crash_point.h).
POINTS = ("layer-named", "layer-row", "record-row", "definition-row", "blob-named", "layer-unpacked", "bundle-made",
          "image-written")
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = int(os.environ.get("MBUILD_TEST_ROUNDS", "1"))  # nightly runs many


def dockerfile(case):
    case.write("file", b"y" * 200000)
    case.write("many/a", "a")
    case.write("many/b", "b")
    case.dockerfile("FROM busybox AS one", "COPY file /file", "RUN sort /file > /sorted; ln /sorted /link",
                    "FROM busybox", "COPY many /many", "RUN rm /many/a && mkdir /made && echo made > /made/file",
                    "COPY --from=one /sorted /link /from/", "RUN --mount=type=cache,target=/c cp -r /from /c/; ls /c > /list")


def build(case, **options):
    return case.build("--reproducible", env=dict(options.pop("env", {}), SOURCE_DATE_EPOCH="1000000000"), **options)


def wanted(case):
    dockerfile(case)
    return build(case, root=case.dir + "/other-store").digests()


def check_store(case, digests, what):
    found = build(case)
    expect_equal(found.digests(), digests, what)
    expect_equal(case.work_directories(), [], what)
    again = build(case)
    expect_equal(again.cached_and_executed()[1], [], what + ", second build")
    case.check(case.mbuild, "prune", "-f", "--root", case.root, "--filter", "type=none")
    for path in (os.path.join(case.root, "fs", name, "layers") for name in os.listdir(os.path.join(case.root, "fs"))):
        rows = case.check(case.mbuild, "du", "--root", case.root, "--format", "{{.ID}}").split()
        expect_equal(sorted(set(os.listdir(path)) - set(rows)), [], what + ": directories without a row")


def test_killed_at_named_points(case):
    digests = wanted(case)
    for point in POINTS:
        for nth in range(1, 1 + min(ROUNDS, 6)):
            root = case.root = "%s/store-%s-%d" % (case.dir, point, nth)
            crashed = case.attempt("--reproducible", root=root,
                                   env={"SOURCE_DATE_EPOCH": "1000000000", "MBUILD_TEST_CRASH_AT": "%s:%d" % (point, nth)})
            if point != "bundle-made" and nth == 1:
                expect_equal(crashed.status, -signal.SIGKILL, point)
            check_store(case, digests, point)


def test_killed_at_any_time(case):
    digests = wanted(case)
    started = time.monotonic()
    build(case, root=case.dir + "/timing")
    took = time.monotonic() - started
    generator = random.Random(7)
    for i in range(6 * ROUNDS):
        case.root = "%s/store-%d" % (case.dir, i // 3)  # some meet what earlier ones left
        process = case.start("--reproducible", "--no-cache" if i % 2 else "--pull=false", output=case.next_output())
        time.sleep(generator.uniform(0, took))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=HANG)
        if i % 3 == 2:
            check_store(case, digests, "killed at random, round %d" % i)


def test_reboot(case):
    """Rows that were never made durable go with the boot; what they named may be damaged then."""
    digests = wanted(case)
    first = {"MBUILD_TEST_BOOT_ID": "one", "MBUILD_TEST_DISABLE": "upkeep"}
    build(case, env=first)
    for directory, _, files in os.walk(case.root):
        for name in files:
            path = os.path.join(directory, name)
            if "index.db" not in name and name != "VERSION" and os.path.isfile(path) and not os.path.islink(path):
                try:
                    os.chmod(path, 0o644)
                    os.truncate(path, 0)
                except PermissionError:
                    pass
    found = build(case, env={"MBUILD_TEST_BOOT_ID": "two", "MBUILD_TEST_DISABLE": "upkeep"})
    expect_equal(found.digests(), digests)
    expect(found.cached_and_executed()[1], "steps of the lost boot were taken for done")
    expect_equal(build(case, env={"MBUILD_TEST_BOOT_ID": "two"}).cached_and_executed()[1], [])
    case.settle()
    case.check(case.mbuild, "internal-upkeep", case.root, env={"MBUILD_TEST_BOOT_ID": "two"})
    kept = build(case, env={"MBUILD_TEST_BOOT_ID": "three"})
    expect_equal(kept.cached_and_executed()[1], [], "durable rows were dropped")
    expect_equal(kept.digests(), digests)


def test_damaged_index(case):
    digests = wanted(case)
    build(case)
    case.settle()
    for name in ("index.db-wal", "index.db-shm"):
        if os.path.exists(os.path.join(case.root, name)):
            os.unlink(os.path.join(case.root, name))
    with open(os.path.join(case.root, "index.db"), "r+b") as f:
        f.seek(0)
        f.write(b"\0" * 8192)
    check_store(case, digests, "a damaged index")


def lose_bytes(case, generator, since):
    """What a power cut may do to files that changed since then: some are empty, some cut, some full of zeros."""
    lost = 0
    for directory, _, files in os.walk(case.root):
        for name in files:
            path = os.path.join(directory, name)
            if name.startswith("index.db") or name == "VERSION" or os.path.islink(path) or not os.path.isfile(path):
                continue
            status = os.lstat(path)
            if status.st_ctime < since or os.path.basename(directory) == "locks" or not status.st_size:
                continue
            how = generator.randrange(3)
            try:
                os.chmod(path, status.st_mode | 0o600)
                with open(path, "r+b") as f:
                    if how < 2:
                        f.truncate(status.st_size * how // 2)
                    else:
                        f.write(bytes(status.st_size))
            except PermissionError:
                continue
            lost += 1
    return lost


def test_reboot_between_builds(case):
    """Some of the store is durable, some is not and is lost in part; then the index may be damaged, too."""
    generator = random.Random(int(os.environ.get("MBUILD_TEST_SEED", "5")))
    digests = wanted(case)
    for i in range(2 * ROUNDS):
        case.root, boot = "%s/reboot-store-%d" % (case.dir, i), generator.randrange(1000)
        environment = {"MBUILD_TEST_BOOT_ID": "boot-%d" % boot, "MBUILD_TEST_DISABLE": "upkeep"}
        process = case.start("--reproducible", "--target", "one", env=environment, output=case.next_output())
        if generator.random() < 0.3:
            time.sleep(generator.uniform(0, 0.5))
            process.kill()
        output_of(process)
        if generator.random() < 0.7:
            case.check(case.mbuild, "internal-upkeep", case.root, env=environment)
        time.sleep(1.1)  # times of files are compared in seconds
        since = time.time()
        process = case.start("--reproducible", env=environment, output=case.next_output())
        if generator.random() < 0.5:
            time.sleep(generator.uniform(0, 0.5))
            process.kill()
        output_of(process)
        lose_bytes(case, generator, since)
        index = os.path.join(case.root, "index.db")
        if generator.random() < 0.3 and os.path.exists(index):
            with open(index, "r+b") as f:
                f.seek(4096 * generator.randrange(max(1, os.path.getsize(index) // 4096)))
                f.write(generator.randbytes(4096))
        environment["MBUILD_TEST_BOOT_ID"] = "after"
        expect_equal(build(case, env=environment).digests(), digests, "round %d" % i)
        again = build(case, env=environment)
        expect_equal(again.cached_and_executed()[1], [], "round %d, second build" % i)
        expect_equal(case.work_directories(), [], "round %d" % i)


def test_full_disk(case):
    """With every size of a small disk the build works or says that the disk is full; with room it works."""
    case.needs("unshare", "mount")
    digests = wanted(case)
    prefix = ["unshare", "-m"] if os.geteuid() == 0 else None
    if prefix is None:
        raise Skip("mounts a small file system: only for root")
    disk = os.path.join(case.dir, "disk")
    os.mkdir(disk)
    script = "mount -t tmpfs -o size=$1 none %s && shift && exec \"$@\"" % disk
    generator = random.Random(int(os.environ.get("MBUILD_TEST_SEED", "3")))
    sizes = ["200k", "600k", "1500k", "3m"] + ["%dk" % generator.randint(100, 4000) for _ in range(4 * (ROUNDS - 1))]
    for size in sizes:
        both = "\"$@\"; status=$?; mount -o remount,size=200m %s && \"$@\" >&2 || exit 99; ls %s/store/fs/*/work; exit $status" % (disk, disk)
        command = case.command("--reproducible", root=disk + "/store", output=case.next_output())
        result = case.run(prefix + ["sh", "-c", script, "sh", size, "sh", "-c", both, "sh"] + command,
                          env={"SOURCE_DATE_EPOCH": "1000000000", "MBUILD_TEST_DISABLE": "upkeep"},
                          output=command[command.index("-o") + 1].split("dest=")[1])
        expect(result.status in (0, 1, 4), "size", size, "status", result.status)
        if result.status:
            expect("no space left" in result.text.lower() or "full" in result.text.lower(), "the message does not say why")
        expect_equal(result.digests(), digests, "after the disk was full at " + size)


def failing_calls(case):
    """A library that makes system calls of the program fail (failing_calls.c), and the file in which it counts."""
    compiler = next((name for name in ("cc", "gcc", "clang-19") if shutil.which(name)), None)
    if not compiler:
        raise Skip("no C compiler")
    library, counter = os.path.join(case.dir, "failing_calls.so"), os.path.join(case.dir, "calls")
    case.check(compiler, "-shared", "-fPIC", "-O1", "-w", "-o", library, os.path.join(HERE, "failing_calls.c"), "-ldl")
    return library, counter


def test_failing_system_calls(case):
    """Whatever call fails, at random: the build ends with an error or does without it, and the next build is none the
    worse."""
    digests = wanted(case)
    library, counter = failing_calls(case)

    def attempt(**variables):
        with open(counter, "wb") as f:
            f.write(bytes(8))
        found = case.attempt("--reproducible", env=dict(
            variables, SOURCE_DATE_EPOCH="1000000000", LD_PRELOAD=library, FAILING_CALLS_COUNTER=counter,
            MBUILD_TEST_DISABLE="upkeep", ASAN_OPTIONS="verify_asan_link_order=0"))
        with open(counter, "rb") as f:
            return found, int.from_bytes(f.read(8), "little")

    case.root = case.dir + "/counting"
    found, calls = attempt()
    if calls < 100:
        raise Skip("the library is not used by this program")
    expect_equal(found.digests(), digests)
    generator = random.Random(int(os.environ.get("MBUILD_TEST_SEED", "11")))
    for i in range(9 * ROUNDS):
        if i % 3 == 0:
            case.root = "%s/failing-store-%d" % (case.dir, i)
        number, error = generator.randint(1, calls), generator.choice((errno.EIO, errno.ENOSPC, errno.ENOMEM, errno.EMFILE))
        on = {"FAILING_CALLS_ON": "1"} if i % 4 == 3 else {}
        what = "call %d of %d failed with %s%s" % (number, calls, errno.errorcode[error], " and all after it" * len(on))
        found, _ = attempt(FAILING_CALLS_AT=str(number), FAILING_CALLS_ERRNO=str(error), **on)
        expect(0 <= found.status < 128, what + ": ended by a signal:", found.status)
        if found.status == 0:
            expect_equal(found.digests(), digests, what + ", and the build succeeded")
        check_store(case, digests, what) if i % 3 == 2 else expect_equal(build(case).digests(), digests, what)


def test_reboot_with_blobs_of_a_registry(case):
    """A blob is used by its name: what a power cut may have damaged has no name afterwards."""
    server = Registry(case)
    server.put_base()
    case.dockerfile("FROM %s/base/busybox" % server.host, MARK + "/mark")
    first = case.build(env={"MBUILD_TEST_BOOT_ID": "one", "MBUILD_TEST_DISABLE": "upkeep"})
    blobs = os.path.join(case.root, "blobs", "sha256")
    for name in os.listdir(blobs):
        os.truncate(os.path.join(blobs, name), 0)
    second = case.build(env={"MBUILD_TEST_BOOT_ID": "two"})
    expect_equal(second.layers()[:-1], first.layers()[:-1])
    case.settle()
    names = set(os.listdir(blobs))
    expect_equal(case.build(env={"MBUILD_TEST_BOOT_ID": "three"}).digests(), second.digests())
    expect(names <= set(os.listdir(blobs)), "durable blobs were removed")
