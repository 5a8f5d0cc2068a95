"""OCI image layouts, written and read with the standard library only.

Writing serves make-bases; reading serves show-index, the end-to-end tests and the benchmarks. A layout is a directory
or a tar file. Reading checks every digest and size on the way.
"""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import zlib

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
EPOCH = 1577836800  # every file that we make ourselves is dated 2020-01-01
CREATED = "2020-01-01T00:00:00Z"


def platform_name(platform):
    """linux/arm64 from the platform of a descriptor or from an image config."""
    name = "%s/%s" % (platform.get("os"), platform.get("architecture"))
    return name + ("/" + platform["variant"] if platform.get("variant") else "")


class Layer:
    """The entries of one layer, in the order in which they are added."""

    def __init__(self):
        self.entries = {}

    def add(self, path, kind=tarfile.REGTYPE, data=b"", mode=0o644, link="", uid=0, gid=0, mtime=EPOCH):
        entry = tarfile.TarInfo(path.strip("/"))
        entry.type, entry.mode, entry.linkname = kind, mode, link
        entry.uid, entry.gid, entry.mtime, entry.size = uid, gid, mtime, len(data)
        self.entries[entry.name] = (entry, data)

    def directory(self, path, mode=0o755, **owner):
        self.add(path, tarfile.DIRTYPE, mode=mode, **owner)

    def file(self, path, text, mode=0o644, **owner):
        self.add(path, data=text if isinstance(text, bytes) else text.encode(), mode=mode, **owner)

    def symlink(self, path, target):
        self.add(path, tarfile.SYMTYPE, mode=0o777, link=target)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for entry, data in self.entries.values():
                archive.addfile(entry, io.BytesIO(data) if entry.isreg() else None)
        return out.getvalue()


class LayoutWriter:
    """Adds images to the layout directory `path`, which may exist already."""

    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)
        self.images = {}
        index = os.path.join(path, "index.json")
        if os.path.exists(index):
            with open(index) as f:
                for descriptor in json.load(f)["manifests"]:
                    self.images[descriptor.get("annotations", {}).get(REF_NAME)] = descriptor

    def blob(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        self._write(os.path.join("blobs", "sha256", digest), data)
        return dict(mediaType=media_type, digest="sha256:" + digest, size=len(data), **more)

    def json(self, value, media_type, **more):
        return self.blob(json.dumps(value, separators=(",", ":")).encode(), media_type, **more)

    def image(self, architecture, layers, config, created_by, level=6, variant=""):
        """Writes one image of linux/`architecture`[/`variant`] and returns its manifest's descriptor."""
        platform = dict(architecture=architecture, os="linux", **({"variant": variant} if variant else {}))
        descriptors, diff_ids, history = [], [], []
        for layer, what in zip(layers, created_by):
            raw = layer.tar()
            diff_ids.append("sha256:" + hashlib.sha256(raw).hexdigest())
            descriptors.append(self.blob(gzip.compress(raw, level, mtime=0), LAYER))
            history.append({"created": CREATED, "created_by": what})
        config = dict(platform, created=CREATED, config=config,
                      rootfs={"type": "layers", "diff_ids": diff_ids}, history=history)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.json(config, CONFIG),
                    "layers": descriptors}
        return self.json(manifest, MANIFEST, platform=platform)

    def name(self, name, manifests):
        """Gives the image index of `manifests` a name in the layout, instead of what had it before."""
        index = self.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)
        self.images[name] = dict(index, annotations={REF_NAME: name})

    def adopt(self, other, name):
        """Copies the first image of the layout `other` (a Layout) with all its blobs, under `name`."""
        descriptor = other.index["manifests"][0]
        for digest in other.reachable(descriptor):
            self._write(os.path.join("blobs", *digest.split(":")), other.blob(digest))
        self.images[name] = {k: v for k, v in descriptor.items() if k != "annotations"}
        self.images[name]["annotations"] = {REF_NAME: name}

    def finish(self):
        self._write("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        self._write("index.json", json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                              "manifests": list(self.images.values())}, indent=1).encode())

    def _write(self, name, data):
        final = os.path.join(self.path, name)
        temporary = "%s.%d" % (final, os.getpid())
        with open(temporary, "wb") as f:
            f.write(data)
        os.replace(temporary, final)


class Layout:
    """A layout that was written by anyone: a directory, or a tar file."""

    def __init__(self, path):
        self.path, self.members = path, None
        if not os.path.isdir(path):
            self.members = {}
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isfile():
                        name = member.name[2:] if member.name.startswith("./") else member.name
                        self.members[name] = archive.extractfile(member).read()
        self.index = json.loads(self.read("index.json"))

    def read(self, name):
        if self.members is not None:
            return self.members[name]
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def blob(self, digest):
        data = self.read("blobs/" + digest.replace(":", "/"))
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("%s: the content of blob %s has another digest" % (self.path, digest))
        return data

    def load(self, descriptor):
        data = self.blob(descriptor["digest"])
        if len(data) != descriptor["size"]:
            raise ValueError("%s: the size of %s is wrong" % (self.path, descriptor["digest"]))
        return json.loads(data)

    def top(self):
        """(descriptor, document) of the first entry of index.json."""
        return self.index["manifests"][0], self.load(self.index["manifests"][0])

    def times(self, descriptor):
        """{path: modification time} of the entries of a layer."""
        with tarfile.open(fileobj=io.BytesIO(self.layer(descriptor))) as archive:
            return {clean(member.name): int(member.mtime) for member in archive}

    def reachable(self, descriptor):
        """Digests of `descriptor` and of everything below it."""
        yield descriptor["digest"]
        if descriptor["mediaType"].endswith(("index.v1+json", "manifest.list.v2+json")):
            for manifest in self.load(descriptor)["manifests"]:
                yield from self.reachable(manifest)
        elif "manifest" in descriptor["mediaType"]:
            manifest = self.load(descriptor)
            for part in [manifest["config"]] + manifest["layers"]:
                yield part["digest"]

    def manifests(self, name=None):
        """(descriptor, manifest, config) of every image, those of an image index in its order; no attestations."""
        todo = [d for d in self.index["manifests"] if name in (None, d.get("annotations", {}).get(REF_NAME))]
        while todo:
            descriptor = todo.pop(0)
            if "vnd.docker.reference.type" in (descriptor.get("annotations") or {}):
                continue
            content = self.load(descriptor)
            if "manifests" in content:
                todo = content["manifests"] + todo
            else:
                yield descriptor, content, self.load(content["config"])

    def images(self, name=None):
        """{platform: (descriptor, manifest, config)}"""
        return {platform_name(c): (d, m, c) for d, m, c in self.manifests(name)}

    def layer(self, descriptor):
        """The layer's tar."""
        data = self.blob(descriptor["digest"])
        if data[:2] == b"\x1f\x8b":
            return gunzip(data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
        return data

    def tree(self, manifest):
        """{path: File} of all layers of a manifest, one over the other."""
        tree = {}
        for descriptor in manifest["layers"]:
            apply_layer(tree, self.layer(descriptor))
        return tree


def gunzip(data):
    """All members of a gzip file."""
    out = []
    while data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(31)
        out += [member.decompress(data), member.flush()]
        data = member.unused_data
    return b"".join(out)


class File:
    """One file of a flattened image: what two builders must agree on (no times)."""
    __slots__ = ("kind", "mode", "owner", "data", "target")

    def __init__(self, kind, mode=0, owner=(0, 0), data=None, target=None):
        self.kind, self.mode, self.owner, self.data, self.target = kind, mode, owner, data, target

    def facts(self):
        """(kind, mode, owner, digest or target), to compare and to print."""
        content = self.target if self.data is None else hashlib.sha256(self.data).hexdigest()[:16]
        return self.kind, None if self.kind == "link" else oct(self.mode), "%d:%d" % self.owner, content


KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}


def clean(path):
    return os.path.normpath("/" + path.lstrip("/")).lstrip("/")


def remove(tree, path, below_only=False):
    prefix = path + "/" if path else ""
    for name in [n for n in tree if n.startswith(prefix) and n != path]:
        del tree[name]
    if not below_only:
        tree.pop(path, None)


def apply_layer(tree, raw):
    """Lays one layer over `tree`. Its whiteouts concern lower layers only, wherever they stand in the tar."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = archive.getmembers()
        for member in members:
            directory, base = os.path.split(clean(member.name))
            if base == ".wh..wh..opq":
                remove(tree, directory, below_only=True)
            elif base.startswith(".wh."):
                remove(tree, clean(os.path.join(directory, base[4:])))
        for member in members:
            path = clean(member.name)
            if not path or os.path.basename(path).startswith(".wh."):
                continue
            if member.islnk():
                remove(tree, path)
                tree[path] = tree[clean(member.linkname)]
                continue
            kind = KINDS[member.type]
            if kind != "dir" or (path in tree and tree[path].kind != "dir"):
                remove(tree, path)
            data = archive.extractfile(member).read() if kind == "file" else None
            tree[path] = File(kind, member.mode & 0o7777, (member.uid, member.gid), data,
                              member.linkname if kind == "link" else None)
