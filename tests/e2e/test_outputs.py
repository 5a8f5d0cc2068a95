"""Files that the user names for mbuild to write, and what he means by them."""
import hashlib
import json
import os
import re
import signal
import subprocess
import tarfile
import threading

from support import HANG, HOST, expect, expect_equal, quick

TINY = ("FROM scratch", "COPY Dockerfile /")


def image(path):
    """The bytes of an archive, which has to be one."""
    with tarfile.open(path) as archive:
        expect("index.json" in archive.getnames(), path, "is no image")
    with open(path, "rb") as f:
        return f.read()


def read_pipe(path, into):
    def read():
        with open(path, "rb") as f:
            into.append(f.read())
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


@quick
def test_a_symlink_is_followed(case):
    case.dockerfile(*TINY)
    there = case.new_directory("there")
    for name, target in (("old.tar", "old.tar"), ("new.tar", "new.tar")):
        link = os.path.join(case.dir, "link-" + name)
        os.symlink(os.path.join(there, target), link)
        if name == "old.tar":
            with open(os.path.join(there, name), "w") as f:
                f.write("old")
        case.build("-o", "type=oci,dest=" + link, export=False)
        expect(os.path.islink(link), "the link was replaced")
        image(os.path.join(there, name))
    ids = os.path.join(case.dir, "id")
    os.symlink(os.path.join(there, "id"), ids)
    case.build("--iidfile", ids)
    expect(os.path.islink(ids) and open(os.path.join(there, "id")).read().startswith("sha256:"), "no id")
    expect_equal(sorted(os.listdir(there)), ["id", "new.tar", "old.tar"], "left behind")


@quick
def test_no_id_of_an_earlier_build_stays(case):
    ids = os.path.join(case.dir, "id")
    case.dockerfile(*TINY)
    case.build("--iidfile", ids)
    case.dockerfile("FROM busybox", "RUN false")
    case.fails("--iidfile", ids, status=1)
    expect(not os.path.exists(ids), "the id of an earlier image is there")


def test_standard_output_by_name(case):
    case.dockerfile(*TINY)
    case.build("-o", "type=oci,dest=" + case.dir + "/plain.tar", export=False)
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        out = os.path.join(case.dir, "out.tar")
        with open(out, "wb") as f:
            done = subprocess.run(case.command("-o", "type=oci,dest=" + name), stdout=f, stderr=subprocess.PIPE,
                                  timeout=HANG)
        expect_equal(done.returncode, 0, name)
        expect_equal(image(out), image(case.dir + "/plain.tar"), name)
    done = subprocess.run(case.command("--iidfile", "/dev/stdout", "--metadata-file", "/dev/fd/1", output=out),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=HANG)
    found = re.fullmatch(r"(sha256:[0-9a-f]{64})(\{.*\}\n)", done.stdout, re.S)
    expect(found and json.loads(found.group(2))["containerimage.digest"] == found.group(1), done.stdout)


def test_a_descriptor_that_is_not_given(case):
    case.dockerfile(*TINY)
    for number in (3, 5, 9, 77):
        done = subprocess.run(case.command("--iidfile", "/dev/fd/%d" % number, output=case.next_output()),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANG)
        expect(done.returncode == 2 and "descriptor %d is not open" % number in done.stdout, done.stdout)


def test_a_descriptor_that_is_given(case):
    case.dockerfile(*TINY)
    out = os.path.join(case.dir, "out")
    with open(out, "wb") as f:
        os.set_inheritable(f.fileno(), True)
        case_fd = f.fileno()
        done = subprocess.run(case.command("--iidfile", "/dev/fd/%d" % case_fd, output=case.next_output()),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=(case_fd,),
                              timeout=HANG)
    expect(done.returncode == 0 and open(out).read().startswith("sha256:"), done.stdout)


def test_pipes(case):
    case.dockerfile(*TINY)
    case.build("-o", "type=oci,dest=" + case.dir + "/plain.tar", export=False)
    pipe = os.path.join(case.dir, "pipe")
    os.mkfifo(pipe)
    for arguments in (("-o", "type=oci,dest=" + pipe), ("--iidfile", pipe), ("--metadata-file", pipe)):
        got = []
        reader = read_pipe(pipe, got)
        case.build(*arguments, export=arguments[0] != "-o")
        reader.join(HANG)
        expect(got and got[0], "nothing came through the pipe for", arguments)
    case.check("test", "-p", pipe)


def test_devices_stay_devices(case):
    """In a mount namespace with a /dev of its own."""
    case.needs_root()
    case.needs("unshare")
    case.dockerfile(*TINY)
    script = r"""
set -e
mount -t tmpfs none "$DEV"
mknod "$DEV/null" c 1 3; mknod "$DEV/full" c 1 7; ln -s null "$DEV/link"
for o in "--iidfile $DEV/null" "--metadata-file $DEV/null" "-o type=oci,dest=$DEV/null" "-o type=tar,dest=$DEV/link"; do
  $BUILD $o $CONTEXT
done
if $BUILD --iidfile "$DEV/full" $CONTEXT; then echo the full device took it; exit 1; fi
test -c "$DEV/null"; test -c "$DEV/full"; test -L "$DEV/link"; ls "$DEV" | wc -l
"""
    command = case.command("-o", "type=cacheonly")
    dev = case.new_directory("dev")
    build = " ".join(word for word in command[:-1])
    env = {"DEV": dev, "BUILD": build.replace(" -o type=cacheonly", ""), "CONTEXT": command[-1]}
    text = case.check("unshare", "-m", "sh", "-c", script, env=env)
    expect_equal(text.splitlines()[-1], "3", "things in the directory")


def test_a_file_keeps_its_mode_and_is_never_half_written(case):
    case.dockerfile("FROM busybox", "RUN head -c 3000000 /dev/urandom > /big")
    out = os.path.join(case.dir, "out.tar")
    with open(out, "w") as f:
        f.write("old")
    os.chmod(out, 0o600)
    case.build("-o", "type=oci,dest=" + out, export=False)
    expect_equal(os.stat(out).st_mode & 0o777, 0o600, "mode")
    before = hashlib.sha256(image(out)).hexdigest()
    for point in ("layers", "image-written"):
        crashed = case.attempt("-o", "type=oci,dest=" + out, export=False, env={"MBUILD_TEST_CRASH_AT": point + ":1"})
        expect(crashed.status in (0, -signal.SIGKILL), crashed.status)
        image(out)
    expect_equal(sorted(name for name in os.listdir(case.dir) if name.startswith("out.tar")), ["out.tar"], before)


def test_a_name_without_an_output_keeps_the_image(case):
    case.dockerfile(*TINY)
    ids, metadata = os.path.join(case.dir, "id"), os.path.join(case.dir, "metadata")
    build = case.build("-t", "kept:v1", "--iidfile", ids, "--metadata-file", metadata, export=False)
    line = [line for line in build.text.splitlines() if "image is kept in the store" in line]
    expect(len(line) == 1 and "kept:v1" in line[0], build.text)
    digest = json.load(open(metadata))["containerimage.digest"]
    expect_equal(open(ids).read(), digest, "id")
    expect(digest in case.check(case.mbuild, "images", "-q", "--no-trunc", "--root", case.root), "the store has no such image")
    case.dockerfile("FROM kept:v1", "COPY Dockerfile /second")
    expect("second" in case.build().tree(HOST), "the image can't be built on")


def test_without_a_name_and_an_output_nothing_is_kept(case):
    case.dockerfile(*TINY)
    expect("no output is asked for" in case.build(export=False).text, "no word")
    expect_equal(case.check(case.mbuild, "images", "-q", "--root", case.root), "", "images")
