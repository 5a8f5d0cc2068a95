"""Base images made to do harm. Each is either refused with a reason, or its layer stays where it belongs."""
import gzip
import hashlib
import io
import json
import os
import tarfile

import oci
from support import HOST, expect, expect_equal

ARCHITECTURE = HOST.split("/")[1]


def entry(name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644, **more):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(data), link, mode
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data) if data else None)
    return out.getvalue()


def base(case, name, raw, blob=None, diff_id=None, size=None, claimed=None):
    """A layout with an image of busybox's layer and the layer `raw`; what is said of that layer can be a lie."""
    busybox = oci.Layout(case.bases)
    _, manifest, config = busybox.images("busybox")[HOST]
    path = os.path.join(case.dir, name)
    writer = oci.LayoutWriter(path)
    for old in manifest["layers"]:
        writer.blob(busybox.blob(old["digest"]), old["mediaType"])
    descriptor = writer.blob(gzip.compress(raw, 1) if blob is None else blob, oci.LAYER)
    if size is not None:
        descriptor["size"] = size
    if claimed:
        real = os.path.join(path, "blobs", *descriptor["digest"].split(":"))
        descriptor["digest"] = "sha256:" + hashlib.sha256(claimed).hexdigest()
        os.rename(real, os.path.join(path, "blobs", *descriptor["digest"].split(":")))
    config["rootfs"]["diff_ids"].append(diff_id or "sha256:" + hashlib.sha256(raw).hexdigest())
    config["history"].append({"created": oci.CREATED, "created_by": name})
    image = {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": writer.json(config, oci.CONFIG),
             "layers": manifest["layers"] + [descriptor]}
    writer.name("evil", [writer.json(image, oci.MANIFEST, platform={"architecture": ARCHITECTURE, "os": "linux"})])
    writer.finish()
    return "evil=oci-layout://%s:evil" % path


def run_on(case, context, command="ls -la / > /list"):
    case.dockerfile("FROM evil", "RUN " + command)
    return case.attempt("--build-context", context)


def refused(case, context, *phrases):
    build = run_on(case, context)
    expect(build.status in (2, 3, 4), "status", build.status, "instead of a refusal")
    expect(any(phrase in build.text for phrase in phrases), "the message has none of", phrases)
    expect_equal(case.work_directories(), [], "left in the store")


# ---- Entries that lead out of the layer: nothing outside is written, removed or read.

LINK, HARD, DIRECTORY = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
UP = "../" * 20


class Targets:
    """What the attacks aim at: an empty directory and a file, both outside the store, and the build's own context."""

    def __init__(self, case):
        self.outside, self.context = case.dir + "/outside", case.context
        os.mkdir(self.outside)
        self.secret = case.write("secret", "SECRET")


def attack(entries_for):
    def test(case):
        targets = Targets(case)
        build = run_on(case, base(case, "attack", layer(*entries_for(targets))), "cat /h > /copy 2>/dev/null || true")
        expect(build.status in (0, 2, 3, 4), "ended with status", build.status)
        if build.status == 0:
            leaked = [path for path, file in build.tree().items() if file.data and b"SECRET" in file.data]
            expect_equal(leaked, [])
        expect_equal(os.listdir(targets.outside), [])
        with open(targets.secret) as f:
            expect_equal(f.read(), "SECRET")
    return test


test_parent_directories = attack(lambda t: [entry(UP + t.outside[1:] + "/f", data=b"x")])
test_an_absolute_name = attack(lambda t: [entry(t.outside + "/f", data=b"x")])
test_an_absolute_link = attack(lambda t: [entry("l", LINK, link=t.outside), entry("l/f", data=b"x")])
test_a_link_upwards = attack(lambda t: [entry("l", LINK, link=UP + t.outside[1:]), entry("l/f", data=b"x")])
test_a_link_to_a_link = attack(lambda t: [entry("a", LINK, link="b"), entry("b", LINK, link=t.outside),
                                          entry("a/f", data=b"x")])
test_a_directory_that_becomes_a_link = attack(lambda t: [entry("d", DIRECTORY, mode=0o755),
                                                         entry("d", LINK, link=t.outside), entry("d/f", data=b"x")])
test_a_hard_link_through_a_link = attack(lambda t: [entry("l", LINK, link=t.outside),
                                                    entry("h", HARD, link="l/../secret")])
test_a_hard_link_outside = attack(lambda t: [entry("h", HARD, link=t.secret)])
test_a_hard_link_upwards = attack(lambda t: [entry("h", HARD, link=UP + t.secret[1:])])
test_a_whiteout_through_a_link = attack(lambda t: [entry("l", LINK, link=t.context), entry("l/.wh.secret")])
test_a_whiteout_upwards = attack(lambda t: [entry("../../.wh.context")])


# ---- What is said of the bytes is not true, or they are no layer.

RAW = layer(entry("f", data=b"x"))
BLOB = gzip.compress(RAW, 1)


def lie(*phrases, raw=RAW, **claims):
    return lambda case: refused(case, base(case, "lie", raw, **claims), *phrases)


test_a_wrong_size = lie("bytes", size=len(BLOB) + 1)
test_a_wrong_digest = lie("digest", claimed=b"other")
test_a_wrong_diff_id = lie("diff id", diff_id="sha256:" + "0" * 64)
test_a_cut_blob = lie("end", "broken", "truncated", "damaged", blob=BLOB[:-6])
test_garbage_as_gzip = lie("gzip", "broken", "damaged", blob=b"\x1f\x8b" + os.urandom(100))
test_no_tar = lie("no valid tar", raw=b"x" * 1024)


# ---- Odd entries, which are kept as far as they can be.

def odd(case, *entries, command="true"):
    build = run_on(case, base(case, "odd", layer(*entries)), command)
    expect_equal(build.status, 0)
    return build


def test_a_whiteout_as_a_device(case):
    refused(case, base(case, "odd", layer(entry("w", tarfile.CHRTYPE, devmajor=0, devminor=0))), "device 0/0")


def test_a_device_node(case):
    """The disk of the host, by its number: it can't be opened in a step."""
    build = odd(case, entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0),
                command="head -c 1 /disk > /read 2>/dev/null || echo refused > /read")
    expect(build.file("read") in ("", "refused"), "something was read")


def test_one_name_again_and_again(case):
    """As a file, a longer file, a directory and a file again: the last one counts."""
    build = odd(case, entry("twice", data=b"1"), entry("twice", data=b"22"), entry("twice", DIRECTORY, mode=0o755),
                entry("twice/inside", data=b"x"), entry("twice", data=b"333"), command="cat /twice > /copy")
    expect_equal(build.file("copy"), "333")


def test_deep_nesting(case):
    build = odd(case, entry("/".join(["d"] * 400) + "/leaf", data=b"deep"))
    expect(any(path.startswith("d/") and path.endswith("/leaf") for path in build.tree()), "the deep file is lost")


def test_links_in_a_circle(case):
    build = odd(case, entry("one", LINK, link="two"), entry("two", LINK, link="one"))
    expect_equal(build.tree()["one"].target, "two")


def test_a_path_through_a_circle(case):
    refused(case, base(case, "odd", layer(entry("one", LINK, link="two"), entry("two", LINK, link="one"),
                                          entry("one/f", data=b"x"))), "too many symbolic links")


# ---- Little that becomes much.

def test_a_terabyte_of_holes(case):
    sparse = tarfile.TarInfo("holes")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes",
                          "GNU.sparse.realsize": str(1 << 40)}
    sparse.size = 512
    build = run_on(case, base(case, "holes", layer((sparse, b"0\n" + b"\0" * 510))), "stat -c %s /holes > /size")
    expect(build.status in (0, 3, 4), "status", build.status)
    if build.status == 0:  # only the last layer is read back: the other has the holes
        last = build.layout.layer(build.layout.images()[HOST][1]["layers"][-1])
        with tarfile.open(fileobj=io.BytesIO(last)) as archive:
            expect_equal(archive.extractfile("size").read().decode().strip(), str(1 << 40))


def test_a_stream_that_goes_on_behind_its_tar(case):
    tail = RAW + b"\0" * (64 << 20)
    expect_equal(run_on(case, base(case, "tail", tail)).status, 0)


def layout_with(case, name, entries):
    """A layout whose image is an index of these entries."""
    path = os.path.join(case.dir, name)
    writer = oci.LayoutWriter(path)
    writer.name("v1", entries)
    writer.finish()
    return path


def test_an_index_of_very_many_images(case):
    digest = "sha256:%064x"
    entries = [{"mediaType": oci.MANIFEST, "digest": digest % i, "size": 2,
                "platform": {"os": "linux", "architecture": "arch%d" % i}} for i in range(50000)]
    path = layout_with(case, "many", entries)
    case.dockerfile("FROM base", "COPY Dockerfile /")
    text = case.fails("--build-context", "base=oci-layout://%s:v1" % path, says=["50000 entries"]).text
    expect(len(text) < 5000, "so much was printed:", len(text))
    text = case.check(case.mbuild, "imagetools", "inspect", "oci-layout://%s:v1" % path)
    expect(len(text) < 100000 and "and 49800 more" in text, "so much was printed:", len(text))
    few = layout_with(case, "few", entries[:300])
    text = case.fails("--build-context", "base=oci-layout://%s:v1" % few, says=["no image for", "and 280 more"]).text
    archive = os.path.join(case.dir, "many.tar")
    with tarfile.open(archive, "w") as tar:
        index = json.dumps({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": entries}).encode()
        info = tarfile.TarInfo("index.json")
        info.size = len(index)
        tar.addfile(info, io.BytesIO(index))
    text = case.fails_to_run([case.mbuild, "verify", archive], "50000 entries", status=3).text
    expect(len(text) < 5000, "so much was printed:", len(text))


def test_platforms_that_are_none(case):
    case.dockerfile("FROM base", "COPY Dockerfile /")
    digest = "sha256:" + "0" * 64
    for number, platform in enumerate(({"os": "linux", "architecture": "amd\x1b[2J64"},
                                       {"os": "li/nux", "architecture": "amd64"},
                                       {"os": "linux", "architecture": "arm", "variant": "v7\u202e"},
                                       {"os": "linux", "architecture": "a" * 5000})):
        path = layout_with(case, "odd-%d" % number,
                           [{"mediaType": oci.MANIFEST, "digest": digest, "size": 2, "platform": platform}])
        text = case.fails("--build-context", "base=oci-layout://%s:v1" % path, says=["of a platform"]).text
        expect("\x1b" not in text and len(text) < 5000, "printed as it is")
