"""The same inputs give the same bytes, from two stores that know nothing of each other."""
import os

from support import BOTH, HOST, expect, expect_equal, quick

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
