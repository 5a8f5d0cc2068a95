"""Images of more layers than one overlay is given: older layers are mounted as bundles."""
import os

from support import HOST, expect, expect_equal

STEPS = 300


def chain(case):
    """A chain in which every step needs what earlier ones left, and takes some of it away."""
    lines = ["FROM busybox", "RUN mkdir -m 1777 /w && echo 0 > /w/0 && echo kept > /w/kept"]
    for i in range(1, STEPS - 3):
        if i % 50 == 7:
            lines.append("COPY file /w/sub/%d/file" % i)
        else:
            lines.append("RUN expr $(cat /w/%d) + 1 > /w/%d && rm /w/%d" % (last(i), i, last(i)))
    end = last(STEPS - 3)
    lines += ["RUN ln /w/kept /w/linked && rm -r /w/sub/7 && mkdir /w/sub/7 && chmod 700 /w/sub",
              "RUN ls -R /w > /list && stat -c %%a /w > /mode && cat /w/%d > /count" % end]
    case.write("file", "file\n")
    case.dockerfile(*lines)
    return end


def last(i):
    """The RUN before step i."""
    return i - 2 if (i - 1) % 50 == 7 else i - 1


def test_three_hundred_steps(case):
    end = chain(case)
    build = case.build()
    removed = sum(1 for i in range(1, end + 1) if i % 50 == 7)
    expect_equal(build.file("count"), str(end - removed))
    expect_equal(build.file("mode"), "1777")
    seen = build.file("list").split()
    wanted = {"/w:", "kept", "linked", "sub", str(end), "/w/sub:"}
    for i in range(1, STEPS - 3):
        if i % 50 == 7:
            wanted |= {str(i), "/w/sub/%d:" % i} | ({"file"} if i != 7 else set())
    expect_equal(set(seen), wanted)
    tree = build.tree(HOST)
    expect_equal(tree["w"].mode & 0o7777, 0o1777)
    expect_equal(tree["w/sub"].mode & 0o7777, 0o700)
    expect("w/0" not in tree and "w/1" not in tree, "a file that was removed is in the image")

    again = case.build()
    expect_equal(again.cached_and_executed()[1], [])
    expect_equal(again.digests(), build.digests())
    expect_equal(case.work_directories(), [])


def test_runs_can_go(case):
    """A bundle is made again where it is missing; the image is what it was."""
    chain(case)
    first = case.build()
    layers = [os.path.join(case.root, "fs", name, "layers") for name in os.listdir(os.path.join(case.root, "fs"))][0]
    runs = [name for name in os.listdir(layers) if name.startswith("run-")]
    expect(runs, "no run was made")
    for name in runs:
        os.rename(os.path.join(layers, name), os.path.join(layers, "gone-" + name))
    with open(os.path.join(case.context, "Dockerfile"), "a") as f:
        f.write("RUN ls -R /w | cmp - /list && rm /list\n")
    build = case.build()
    expect_equal(len(build.cached_and_executed()[1]), 1)
    expect_equal(build.layers()[:-1], first.layers())
