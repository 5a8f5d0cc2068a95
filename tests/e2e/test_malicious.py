"""Base images made to do harm. Each is either refused with a reason, or its layer stays where it belongs."""
import gzip
import hashlib
import io
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


def test_out_of_the_layer(case):
    """Parent directories, absolute names, links that lead out: nothing outside is written or read."""
    outside = case.dir + "/outside"
    os.mkdir(outside)
    secret = case.write("secret", "SECRET")
    link = tarfile.SYMTYPE
    attacks = {
        "dots": [entry("../" * 12 + outside[1:] + "/f", data=b"x")],
        "absolute": [entry(outside + "/f", data=b"x")],
        "link": [entry("l", link, link=outside), entry("l/f", data=b"x")],
        "relative": [entry("l", link, link="../" * 20 + outside[1:]), entry("l/f", data=b"x")],
        "chain": [entry("a", link, link="b"), entry("b", link, link=outside), entry("a/f", data=b"x")],
        "replaced": [entry("d", tarfile.DIRTYPE, mode=0o755), entry("d", link, link=outside), entry("d/f", data=b"x")],
        "through": [entry("l", link, link=outside), entry("h", tarfile.LNKTYPE, link="l/../secret")],
        "hard": [entry("h", tarfile.LNKTYPE, link=secret)],
        "dotted": [entry("h", tarfile.LNKTYPE, link="../" * 20 + secret[1:])],
        "whiteout": [entry("l", link, link=case.context), entry("l/.wh.secret")],
        "whiteout-dots": [entry("../../.wh.context")],
    }
    for name, entries in attacks.items():
        build = run_on(case, base(case, name, layer(*entries)), "cat /h > /copy 2>/dev/null || true")
        expect(build.status in (0, 2, 3, 4), name, "ended with status", build.status)
        if build.status == 0:
            leaked = [path for path, file in build.tree().items() if file.data and b"SECRET" in file.data]
            expect_equal(leaked, [], name)
        expect_equal(os.listdir(outside), [], name)
        with open(secret) as f:
            expect_equal(f.read(), "SECRET", name)


def test_lies(case):
    """A size, a digest, a diff id that are not those of the bytes; bytes that are no layer."""
    raw = layer(entry("f", data=b"x"))
    blob = gzip.compress(raw, 1)
    refused(case, base(case, "size", raw, size=len(blob) + 1), "bytes")
    refused(case, base(case, "digest", raw, claimed=b"other"), "digest")
    refused(case, base(case, "diff-id", raw, diff_id="sha256:" + "0" * 64), "diff id")
    refused(case, base(case, "cut", raw, blob=blob[:-6]), "end", "broken", "truncated", "damaged")
    refused(case, base(case, "garbage", raw, blob=b"\x1f\x8b" + os.urandom(100)), "gzip", "broken", "damaged")
    refused(case, base(case, "no-tar", b"x" * 1024), "no valid tar")


def test_odd_entries(case):
    """Devices, a whiteout as a device, names given twice, a deep tree, links in circles."""
    refused(case, base(case, "device-00", layer(entry("w", tarfile.CHRTYPE, devmajor=0, devminor=0))), "device 0/0")
    deep = "/".join(["d"] * 400)
    odd = layer(entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=0), entry("twice", data=b"1"),
                entry("twice", data=b"22"), entry("twice", tarfile.DIRTYPE, mode=0o755), entry("twice", data=b"333"),
                entry(deep + "/leaf", data=b"deep"), entry("one", tarfile.SYMTYPE, link="two"),
                entry("two", tarfile.SYMTYPE, link="one"))
    build = run_on(case, base(case, "odd", odd), "cat /twice > /copy; head -c 1 /disk > /read || echo refused > /read")
    expect_equal(build.status, 0)
    expect_equal(build.file("copy"), "333")
    expect("leaf" in "".join(path[-4:] for path in build.tree() if path.startswith("d/")), "the deep file is lost")


def test_bombs(case):
    """Little that becomes much: a terabyte of holes takes no disk, and a stream that goes on behind its tar is read."""
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
    tail = layer(entry("f", data=b"x")) + b"\0" * (64 << 20)
    expect_equal(run_on(case, base(case, "tail", tail)).status, 0)
