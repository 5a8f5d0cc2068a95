"""The same inputs give the same bytes, from two stores that know nothing of each other."""
import json
import mmap
import os
import shutil
import time

from support import BOTH, HOST, Skip, expect, expect_equal, quick

EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


def files(case):
    case.write("tree/a", "a\n")
    case.write("tree/b/c", os.urandom(300000).hex())
    os.symlink("a", os.path.join(case.context, "tree", "link"))


def test_copy_only_layers(case):
    files(case)
    case.dockerfile("FROM busybox", "COPY tree /tree/", "COPY --chown=1:2 tree/a /owned")
    first = case.build(platforms=BOTH)
    second = case.build(platforms=BOTH, root=case.dir + "/other-store")
    for name in BOTH:
        expect_equal(second.layers(name), first.layers(name))


@quick
def test_reproducible(case):
    files(case)
    case.dockerfile("FROM busybox", "COPY tree /tree/", "RUN mkdir /made && echo x > /made/x && ln /made/x /made/y",
                    "WORKDIR /work", "LABEL a=b")
    first = case.build("--reproducible", platforms=BOTH, env=EPOCH)
    os.utime(os.path.join(case.context, "tree", "a"))
    second = case.build("--reproducible", platforms=BOTH, env=EPOCH, root=case.dir + "/other-store")
    expect_equal(second.layout.index["manifests"][0]["digest"], first.layout.index["manifests"][0]["digest"])


def test_source_date_epoch_in_config(case):
    case.dockerfile("FROM busybox", "RUN true > /x")
    build = case.build(env=EPOCH)
    created = build.layout.images()[HOST][2]["created"]
    expect(created.startswith("2023-11-14T22:13:20"), created)


def top_digest(build):
    return build.layout.index["manifests"][0]["digest"]


def test_reproducible_at_another_time(case):
    """Without SOURCE_DATE_EPOCH too: the commit's time, or none at all, is taken for it."""
    case.write("a", "a\n")
    case.dockerfile("FROM busybox", "COPY a /a", "RUN echo x > /x", "LABEL a=b")
    first = case.build("--reproducible")
    time.sleep(1.1)  # times in a config are in seconds
    expect_equal(top_digest(case.build("--reproducible", root=case.dir + "/other")), top_digest(first))
    case.needs("git")
    git = ["git", "-C", case.context, "-c", "user.name=n", "-c", "user.email=e"]
    case.check(*git, "init", "-q")
    case.check(*git, "add", ".")
    case.check(*git, "commit", "-q", "-m", "m", "--date", "2020-01-02T03:04:05Z",
               env={"GIT_COMMITTER_DATE": "2020-01-02T03:04:05Z"})
    _, manifest, config = case.build("--reproducible").layout.images()[HOST]
    expect_equal(config["created"], "2020-01-02T03:04:05Z")


def test_reproducible_elsewhere(case):
    """In a directory of another name, with other times and another order of creation, and by another user."""
    case.needs_root()
    case.needs("setpriv")
    as_other = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    if case.run(as_other + ["test", "-x", case.mbuild, "-a", "-r", case.bases]).status != 0:
        raise Skip("another user can't reach the program")
    files(case)
    case.dockerfile("FROM busybox", "COPY tree /tree/", "COPY --chown=1:2 --chmod=0640 tree/a /owned",
                    "RUN echo x > /made", "WORKDIR /work")
    first = case.build("--reproducible", env=EPOCH)
    other = os.path.join(case.new_directory("user"), "a", "b")
    os.makedirs(other)
    for name in ("Dockerfile", "tree"):
        case.check("cp", "-r", "--preserve=mode,links", os.path.join(case.context, name), other)
    home = os.path.dirname(os.path.dirname(other))
    case.check("chown", "-hR", "12345:12345", home)
    for directory in (home, os.path.dirname(other), other):
        os.utime(directory, (1, 1))
    second = case.build("--reproducible", "-o", "type=oci,dest=%s/image.tar" % home, export=False,
                        env={**EPOCH, "HOME": home, "XDG_RUNTIME_DIR": ""}, context=other, root=home + "/store",
                        prefix=as_other)
    second.output = home + "/image.tar"
    expect_equal(top_digest(second), top_digest(first))


# With and without AVX, AVX2, SHA and carry-less multiplication, which the libraries for digests and compression use.
PROCESSORS = ("qemu64", "Nehalem", "SandyBridge", "Haswell", "max")


def test_reproducible_on_other_processors(case):
    """From a layer's tar to its digests, compressed blob and manifest, on processors that QEMU imitates."""
    if HOST != "linux/amd64" or not shutil.which("qemu-x86_64-static"):
        raise Skip("no qemu-x86_64-static that runs mbuild itself")
    with open(case.mbuild, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as program:
        if program.find(b"__asan_init") >= 0 or program.find(b"__tsan_init") >= 0:
            raise Skip("QEMU has no room for a sanitizer's shadow memory")
    files(case)
    case.dockerfile("FROM scratch", "COPY tree /tree/")
    layout = os.path.join(case.dir, "plain")
    case.build("-t", "app:1", "-o", "type=oci,tar=false,compression=uncompressed,dest=" + layout, export=False)
    # An image that is only compressed anew needs no second process, which QEMU would not be asked to run.
    case.dockerfile("FROM base")
    for compression in ("gzip", "zstd"):
        found = {}
        for processor in (None,) + PROCESSORS:
            out = os.path.join(case.new_directory("out"), "layout")
            case.build("--reproducible", "--build-context", "base=oci-layout://%s:1" % layout, "-o",
                       "type=oci,tar=false,force-compression=true,compression=%s,dest=%s" % (compression, out),
                       prefix=("qemu-x86_64-static", "-cpu", processor) if processor else (), export=False,
                       root="%s/store-%s-%s" % (case.dir, compression, processor), env=EPOCH)
            with open(out + "/index.json") as f:
                found[processor or "this one"] = json.load(f)["manifests"][0]["digest"]
        expect_equal(len(set(found.values())), 1, found)
