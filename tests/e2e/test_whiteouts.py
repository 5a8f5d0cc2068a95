"""A whiteout hides what lower layers have, and is itself nowhere: also in a directory that is merged with none below."""
import os
import tarfile

import oci
from support import HOST, expect_equal


def file(layer, name):
    layer.file(name, "" if ".wh." in name else "x")


def made_and_removed(first, second):
    """As kaniko and others write it: the directory is new."""
    for name in ("gems/.wh.old", "gems/new", "deep/a/b/.wh.old", "deep/a/b/new"):
        file(second, name)


def opaque(first, second):
    first.directory("gems")
    file(first, "gems/old")
    second.directory("gems")
    for name in ("gems/.wh..wh..opq", "gems/.wh.old", "gems/new"):
        file(second, name)


def replaced(first, second):
    file(first, "gems")
    second.directory("gems")
    for name in ("gems/.wh.old", "gems/new"):
        file(second, name)


def deleted_and_made_anew(first, second):
    first.directory("gems")
    file(first, "gems/old")
    for name in (".wh.gems", "gems/.wh.old", "gems/new"):
        file(second, name)


KINDS = (made_and_removed, opaque, replaced, deleted_and_made_anew)


class Raw:
    """A layer that is there."""

    def __init__(self, raw):
        self.raw = raw

    def tar(self):
        return self.raw


def base(case, kind):
    """--build-context of an image of busybox and two layers."""
    first, second = oci.Layer(), oci.Layer()
    kind(first, second)
    busybox = oci.Layout(case.bases)
    _, manifest, config = busybox.images("busybox")[HOST]
    layers = [Raw(busybox.layer(layer)) for layer in manifest["layers"]] + [first, second]
    path = os.path.join(case.dir, kind.__name__)
    writer = oci.LayoutWriter(path)
    writer.name("base", [writer.image(HOST.split("/")[1], layers, config["config"], ["test"] * len(layers))])
    writer.finish()
    return "base=oci-layout://%s:base" % path


def in_each(check):
    def test(case):
        for kind in KINDS:
            check(case, base(case, kind), kind.__name__)
    return test


def names(directory):
    return sorted(os.path.relpath(os.path.join(at, name), directory)
                  for at, directories, files in os.walk(directory) for name in directories + files)


def in_run(case, context, kind):
    case.dockerfile("FROM base", "RUN ls -a /gems > /list; cp -a /gems /copy && tar cf /dev/null /gems && rm -r /gems && echo fine >> /list")
    expect_equal(case.build("--build-context", context).file("list").split(), [".", "..", "new", "fine"], kind)


def in_a_bind_mount(case, context, kind):
    case.dockerfile("FROM base AS b", "FROM busybox", "RUN --mount=from=b,target=/b,rw ls -a /b/gems > /list; cp -a /b/gems /copy && echo fine >> /list",
                    "RUN --mount=from=b,source=gems,target=/b tar cf /dev/null /b && echo fine >> /list")
    expect_equal(case.build("--build-context", context).file("list").split(), [".", "..", "new", "fine", "fine"], kind)


def in_a_copy(case, context, kind):
    case.dockerfile("FROM base AS b", "FROM scratch", "COPY --from=b /gems /copied", "COPY --from=b /gems/* /matched/")
    expect_equal(sorted(case.build("--build-context", context).tree()), ["copied", "copied/new", "matched", "matched/new"], kind)


def in_a_directory(case, context, kind):
    case.dockerfile("FROM base")
    output = case.new_directory("output")
    case.build("--build-context", context, "-o", output, export=False)
    expect_equal(names(output + "/gems"), ["new"], kind)


def in_a_tar(case, context, kind):
    case.dockerfile("FROM base")
    output = case.next_output()
    case.build("--build-context", context, "-o", "type=tar,dest=" + output, export=False)
    with tarfile.open(output) as archive:
        expect_equal([name for name in archive.getnames() if name.startswith("gems/")], ["gems/new"], kind)


def in_an_image(case, context, kind):
    case.dockerfile("FROM base", "RUN touch /gems/added; rm -f /gems/new; chmod 700 /gems")
    tree = case.build("--build-context", context).tree()
    expect_equal([name for name in tree if name.startswith("gems/")], ["gems/added"], kind)
    case.dockerfile("FROM base", "RUN rm -f /gems/old && touch /gems/old && mv /gems/old /gems/other")
    tree = case.build("--build-context", context, "-o", "type=cacheonly").tree()
    expect_equal(sorted(name for name in tree if name.startswith("gems/")), ["gems/new", "gems/other"], kind)


def when_verified(case, context, kind):
    case.dockerfile("FROM base")
    built = case.build("--build-context", context)
    case.check(case.mbuild, "verify", built.output)


test_in_a_run = in_each(in_run)
test_in_a_bind_mount = in_each(in_a_bind_mount)
test_in_a_copy = in_each(in_a_copy)
test_in_a_directory = in_each(in_a_directory)
test_in_a_tar = in_each(in_a_tar)
test_in_an_image = in_each(in_an_image)
test_when_verified = in_each(when_verified)


def test_below_many_layers(case):
    """Older layers of a long image are merged for mounting."""
    case.write("file", "x")
    for kind in KINDS[:3]:
        case.dockerfile("FROM base", *["COPY file /many/%d" % i for i in range(70)],
                        "RUN ls -a /gems > /list; cp -a /gems /copy && rm -r /gems && echo fine >> /list")
        found = case.build("--build-context", base(case, kind))
        expect_equal(found.file("list").split(), [".", "..", "new", "fine"], kind.__name__)
