"""--cache-to and --cache-from: what one builder did, another one need not do."""
import glob
import hashlib
import json
import os

from registry import Front, Registry
from support import BOTH, MARK, expect, expect_equal, quick


def project(case, top=()):
    case.write("src/a.txt", "a\n")
    case.dockerfile(*top, "FROM busybox AS builder", "COPY src/ /src/", MARK + "/made", "RUN cat /src/a.txt /made >/out",
                    "FROM busybox", "WORKDIR /app", "COPY --from=builder /out /app/out", MARK + "/last")


def executed(build):
    return build.cached_and_executed()[1]


def elsewhere(case, name, *arguments, **options):
    """A build with an empty store."""
    return case.build(*arguments, root=os.path.join(case.dir, "store-" + name), **options)


def layers_unpacked(case, name):
    return glob.glob(os.path.join(case.dir, "store-" + name, "fs", "*", "layers", "*"))


def local(case, name, *more):
    return "type=local,%s" % ",".join(("dest=" + os.path.join(case.dir, name),) + more)


def source(case, name, *more):
    return "--cache-from=type=local,%s" % ",".join(("src=" + os.path.join(case.dir, name),) + more)


@quick
def test_a_directory(case):
    project(case)
    first = case.build("--cache-to", local(case, "min"), "--cache-to", local(case, "max", "mode=max"), platforms=BOTH)
    blobs = {name: len(os.listdir(os.path.join(case.dir, name, "blobs", "sha256"))) for name in ("min", "max")}
    expect(blobs["min"] < blobs["max"], "mode=max holds no more than mode=min:", blobs)
    for name in ("min", "max"):
        build = elsewhere(case, name, source(case, name), platforms=BOTH)
        expect_equal(executed(build), [], "with the cache " + name)
        expect_equal(build.digests(), first.digests(), "with the cache " + name)
        expect_equal(layers_unpacked(case, name), [], "layers unpacked")


def test_a_directory_whose_index_is_a_link(case):
    """What the user has put there stays as it is; its mode, too."""
    project(case)
    directory, index = os.path.join(case.dir, "cache"), os.path.join(case.dir, "elsewhere.json")
    case.build("--cache-to", local(case, "cache"))
    os.rename(directory + "/index.json", index)
    os.chmod(index, 0o600)
    os.symlink(index, directory + "/index.json")
    case.build("--cache-to", local(case, "cache", "tag=other"))
    expect(os.path.islink(directory + "/index.json"), "the link was replaced")
    expect_equal(os.stat(index).st_mode & 0o777, 0o600, "mode")
    with open(index) as f:
        expect_equal(len(json.load(f)["manifests"]), 2)
    expect_equal(executed(elsewhere(case, "two", source(case, "cache", "tag=other"))), [])
    expect_equal(sorted(os.listdir(directory)), ["blobs", "index.json", "oci-layout"])


def test_a_step_that_runs_reads_what_was_promised(case):
    project(case)
    first = case.build("--cache-to", local(case, "cache", "mode=max"))
    with open(os.path.join(case.context, "Dockerfile"), "a") as f:
        f.write("RUN cat /app/out /last >/all; chown 7:8 /app/out; rm /last\n")
    build = elsewhere(case, "two", source(case, "cache"))
    expect_equal(executed(build), ["[stage-1 5/5] RUN cat /app/out /last >/all; chown 7:8 /app/out; rm /last"])
    expect_equal(build.file("all"), first.file("app/out") + "\n" + first.file("last"))
    expect_equal(build.layers()[:-1], first.layers())


def test_another_format_than_that_of_the_cache(case):
    epoch = {"SOURCE_DATE_EPOCH": "1000"}
    case.write("file", "text\n")
    case.dockerfile("FROM busybox", "COPY file /", "RUN ln /file /link; rm /bin/wget", "RUN true", MARK + "/mark")
    case.build("--cache-to", local(case, "cache", "compression=zstd"), export=False, env=epoch)
    plain = elsewhere(case, "plain", source(case, "cache"), env=epoch)
    expect_equal([l["mediaType"].split("+")[1] for l in plain.layout.images()[BOTH[0]][1]["layers"]][-4:], ["zstd"] * 4,
                 "layers are exported as they came")
    expect_equal(plain.status, 0)
    again = elsewhere(case, "again", source(case, "cache"), "--reproducible", env=epoch)
    expect_equal(executed(again), [])
    mine = case.build("--reproducible", env=epoch)
    expect_equal(again.layers(), mine.layers(), "layers made anew of what came")


def test_what_was_fetched_is_in_the_store(case):
    case.dockerfile("FROM busybox", MARK + "/a", MARK + "/b")
    case.build("--cache-to", local(case, "cache"), export=False)
    case.dockerfile("FROM busybox", MARK + "/a", MARK + "/b", "RUN cat /a /b >/c")
    first = elsewhere(case, "two", source(case, "cache"))
    second = elsewhere(case, "two")
    expect_equal(executed(second), [], "without the cache, in the store of a build that had it")
    expect_equal(second.digests(), first.digests())


def test_min_runs_what_nothing_holds_and_stays_sound(case):
    project(case)
    first = case.build("--cache-to", local(case, "cache"))
    with open(os.path.join(case.context, "Dockerfile")) as f:
        text = f.read()
    # The new step needs the builder's files, which a cache of mode=min has not: its steps run again.
    case.write("Dockerfile", text.replace("FROM busybox\nWORKDIR", "RUN cp /made /copy\nFROM busybox\nWORKDIR")
               .replace("COPY --from=builder /out", "COPY --from=builder /copy /copy\nCOPY --from=builder /out"))
    build = elsewhere(case, "two", source(case, "cache"))
    expect(build.file("copy") != first.file("app/out").split("\n")[1], "the builder did not run again")
    expect_equal(build.file("app/out"), "a\n" + build.file("copy"), "files of two runs of the builder in one image:")


@quick
def test_a_registry(case):
    server = Registry(case)
    front = Front(server)
    project(case)
    ref = front.host + "/team/cache:main"
    cache = "type=registry,ref=%s,mode=max" % ref
    first = case.build("--cache-to", cache)
    front.take()
    case.build("--cache-to", cache)
    expect_equal([r for r in front.take() if r.method not in ("GET", "HEAD")], [], "requests that change an equal cache")

    build = elsewhere(case, "two", "--cache-from", ref)
    expect_equal(executed(build), [])
    expect_equal(build.digests(), first.digests())
    fetched = [r for r in front.take() if r.method == "GET" and r.kind == "blob"]
    expect_equal(len(fetched), 1 + 3, "the configuration and the layers of the image, of all that is there:")
    nothing = elsewhere(case, "three", "--cache-from", ref, "--output", "type=cacheonly", export=False)
    expect_equal(executed(nothing), [])
    expect_equal(len([r for r in front.take() if r.method == "GET" and r.kind == "blob"]), 1, "blobs without output:")
    pushed = elsewhere(case, "four", "--cache-from", ref, "-t", front.host + "/team/cache:app", "--push", export=False)
    expect_equal(executed(pushed), [])
    expect_equal(len([r for r in front.take() if r.method == "GET" and r.kind == "blob"]), 1,
                 "blobs fetched to push to where they are:")

    case.write("src/a.txt", "b\n")
    case.build("--cache-to", cache, "--cache-from", ref)
    sent = [r for r in front.take() if r.kind == "upload" and r.method == "PUT"]
    expect_equal(len(sent), 6, "uploads of five new layers and the configuration:")


def test_inline(case):
    server = Registry(case)
    project(case)
    name = server.host + "/team/app:v1"
    for how in (["--cache-to", "type=inline"], ["--build-arg", "BUILDKIT_INLINE_CACHE=1"]):
        first = case.build("-t", name, "--push", *how, platforms=BOTH, export=False)
        build = elsewhere(case, how[-1][-6:], "--cache-from", "type=registry,ref=" + name, platforms=BOTH)
        expect_equal(executed(build), [])
        expect_equal(layers_unpacked(case, how[-1][-6:]), [])
        image = server.image("team/app:v1")
        for platform in BOTH:
            expect_equal(build.layers(platform), image.layers(platform))
        expect("mbuild.cache.v1" not in json.dumps(build.layout.images()[BOTH[0]][2]), "passed on to an image")
        expect_equal(first.status, 0)


def test_several_at_once(case):
    case.dockerfile("FROM busybox", MARK + "/b")
    first = case.build("--cache-to", local(case, "both", "tag=one"))
    case.dockerfile("FROM busybox", MARK + "/c")
    second = case.build("--cache-to", local(case, "both", "tag=two"), "--cache-to", local(case, "third"))
    case.dockerfile("FROM busybox AS b", MARK + "/b", "FROM busybox AS c", MARK + "/c", "FROM busybox",
                    "COPY --from=b /b /", "COPY --from=c /c /")
    build = elsewhere(case, "new", source(case, "both", "tag=one"), source(case, "both", "tag=two"))
    expect_equal((build.file("b"), build.file("c")), (first.file("b"), second.file("c")))
    build = elsewhere(case, "newer", source(case, "third"))
    expect_equal(build.file("c"), second.file("c"))


def test_what_is_wrong_with_a_cache_fails_no_build(case):
    project(case)
    first = case.build("--cache-to", local(case, "cache", "mode=max"))
    missing = elsewhere(case, "missing", source(case, "nowhere"))
    expect("nowhere is not used" in missing.text, "nothing is said about the missing cache")
    blobs = os.path.join(case.dir, "cache", "blobs", "sha256")
    layers = [l["digest"].split(":")[1] for l in first.layout.images()[BOTH[0]][1]["layers"]][-1:]
    for digest in layers:
        with open(os.path.join(blobs, digest), "r+b") as f:
            f.seek(20)
            f.write(b"damaged")
    damaged = elsewhere(case, "damaged", source(case, "cache"))
    expect("can't be used" in damaged.text, "nothing is said about the damaged layer")
    expect_equal(damaged.file("app/out"), first.file("app/out"), "the other layers are used")
    expect(damaged.file("last") != first.file("last"), "the damaged layer was used")
    os.unlink(os.path.join(blobs, layers[0]))
    gone = elsewhere(case, "gone", source(case, "cache"))
    expect(gone.file("last") != first.file("last"), "a layer from nowhere")
    index = json.load(open(os.path.join(case.dir, "cache", "index.json")))
    manifest = os.path.join(blobs, index["manifests"][0]["digest"].split(":")[1])
    with open(manifest, "ab") as f:
        f.write(b" ")
    expect("is not used" in elsewhere(case, "manifest", source(case, "cache")).text, "a manifest with another digest")


def test_no_stale_layer_above_one_that_cannot_be_fetched(case):
    """The cache has all layers, but one of them is damaged: what its step gives anew is not what the others are of."""
    lines = ["FROM busybox AS first", "RUN mkdir /d", MARK + "/d/mark", "FROM first AS second", "RUN cp /d/mark /below",
             "FROM busybox", "COPY --from=second /below /copied", "COPY --from=first /d/mark /mark", "RUN cp /copied /last"]
    case.dockerfile(*lines)
    first = case.build("--cache-to", local(case, "cache", "mode=max"))
    # The layers that are in no image are those of the first stages.
    image = {layer["digest"] for layer in first.layout.images()[BOTH[0]][1]["layers"]}
    blobs = os.path.join(case.dir, "cache", "blobs", "sha256")
    damaged = 0
    for path in glob.glob(os.path.join(blobs, "*")):
        with open(path, "rb") as f:
            data = f.read()
        if data[:2] == b"\x1f\x8b" and "sha256:" + os.path.basename(path) not in image:
            with open(path, "wb") as f:
                f.write(data[:-9] + bytes(9))
            damaged += 1
    expect(damaged >= 2, "damaged", damaged, "layers")
    case.dockerfile(*lines, "COPY --from=first /d/mark /again", "RUN cat /copied /mark /last >/all")
    build = elsewhere(case, "two", source(case, "cache"))
    marks = {build.file(name) for name in ("copied", "mark", "last", "again")}
    expect_equal(len(marks), 1, "files of different runs of one step in one image:")
    expect(marks != {first.file("mark")}, "the damaged layer was used")
    expect_equal(build.file("all").split(), sorted(marks) * 3)


def test_a_layer_that_is_not_what_the_cache_says(case):
    """All digests of blobs are right, but the layer belongs to another step: what is unpacked is checked."""
    case.dockerfile("FROM busybox", "RUN echo one >/one", "RUN echo two >/two")
    case.build("--cache-to", local(case, "cache", "mode=max"), export=False)
    layout = os.path.join(case.dir, "cache")

    def blob(digest):
        return os.path.join(layout, "blobs", "sha256", digest.split(":")[1])

    index = json.load(open(os.path.join(layout, "index.json")))
    manifest = json.load(open(blob(index["manifests"][0]["digest"])))
    config = json.load(open(blob(manifest["config"]["digest"])))
    a, b = config["layers"]
    a["result"], b["result"] = b["result"], a["result"]

    def put(value):
        data = json.dumps(value).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with open(blob(digest), "wb") as f:
            f.write(data)
        return {"digest": digest, "size": len(data)}

    manifest["config"].update(put(config))
    index["manifests"][0].update(put(manifest))
    json.dump(index, open(os.path.join(layout, "index.json"), "w"))
    case.dockerfile("FROM busybox", "RUN echo one >/one", "RUN echo two >/two", "RUN cat /one /two >/three")
    build = elsewhere(case, "two", source(case, "cache"))
    expect("does not hold what the cache says" in build.text, "nothing is said")
    expect_equal(build.file("three"), "one\ntwo")


def test_flags(case):
    project(case)
    case.fails("--cache-to", "type=local", status=2, says=["dest is required"])
    case.fails("--cache-from", "type=local", status=2, says=["src is required"])
    case.fails("--cache-to", "type=nonsense", status=2, says=["unknown cache", "nonsense"])
    case.fails("--cache-to", local(case, "x", "mode=most"), status=2, says=["mode", "most"])
    expect("s3" in case.build("--cache-from", "type=s3,bucket=b").text, "nothing is said about s3")
    expect("s3" in case.build("--cache-to", "type=s3,bucket=b").text, "nothing is said about a cache that is not written")
    case.fails("--cache-to", "type=registry,ref=127.0.0.1:1/x", says=["127.0.0.1:1/x"])
    case.build("--cache-to", "type=registry,ref=127.0.0.1:1/x,ignore-error=true")
    case.build("--cache-to", local(case, "y"), export=False)
    case.write("src/a.txt", "other\n")
    before = set(os.listdir(os.path.join(case.dir, "y", "blobs", "sha256")))
    case.build("--cache-to", local(case, "y", "reset=true"), export=False)
    expect(not before <= set(os.listdir(os.path.join(case.dir, "y", "blobs", "sha256"))), "reset removed nothing")
