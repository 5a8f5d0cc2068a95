"""Nothing is done twice, and what depends on a change is done again."""
import os
import shutil

from support import BOTH, HOST, FOREIGN, MARK, expect, expect_equal, quick


def marked(case):
    case.write("source/a.txt", "a\n")
    case.write("other.txt", "other\n")
    case.write(".dockerignore", "*.log\n")
    case.dockerfile("FROM busybox", MARK + "/before", "COPY source/ /source/", MARK + "/after", "WORKDIR /source",
                    'CMD ["cat", "a.txt"]')


def marks(build):
    return {(name, path): build.file(path, name) for name in BOTH for path in ("before", "after")}


@quick
def test_second_build_executes_nothing(case):
    marked(case)
    first = case.build(platforms=BOTH)
    second = case.build(platforms=BOTH)
    expect_equal(marks(second), marks(first))
    expect_equal(second.digests(), first.digests())
    count, executed = second.cached_and_executed()
    expect(count >= 4, "only", count, "steps are reported as cached")
    expect_equal(executed, [], "steps that are not reported as cached")


@quick
def test_touching_an_unrelated_file(case):
    marked(case)
    first = case.build(platforms=BOTH)
    case.write("other.txt", "another\n")
    case.write("noise.log", "noise\n")
    expect_equal(case.build(platforms=BOTH).digests(), first.digests())


def test_new_time_of_a_copied_file(case):
    marked(case)
    first = case.build(platforms=BOTH)
    case.write("source/a.txt", "a\n")
    expect_equal(marks(case.build(platforms=BOTH)), marks(first))


@quick
def test_changing_a_copied_file(case):
    marked(case)
    first = marks(case.build(platforms=BOTH))
    case.write("source/a.txt", "b\n")
    second = case.build(platforms=BOTH)
    for name in BOTH:
        expect_equal(second.file("source/a.txt", name), "b")
        expect_equal(second.file("before", name), first[name, "before"], "the step before the COPY ran again")
        expect(second.file("after", name) != first[name, "after"], "the step after the COPY did not run for", name)


def test_changing_back(case):
    marked(case)
    first = case.build(platforms=BOTH)
    case.write("source/a.txt", "b\n")
    case.build(platforms=BOTH)
    case.write("source/a.txt", "a\n")
    expect_equal(case.build(platforms=BOTH).digests(), first.digests())


def test_platform_added_later(case):
    marked(case)
    first = case.build(platforms=(HOST,))
    both = case.build(platforms=BOTH)
    expect_equal(both.file("after", HOST), first.file("after", HOST))
    expect(both.file("after", FOREIGN) != first.file("after", HOST), "one execution for two platforms")


def test_no_cache(case):
    marked(case)
    first = case.build(platforms=BOTH)
    second = case.build("--no-cache", platforms=BOTH)
    expect(not set(marks(first).values()) & set(marks(second).values()), "a cached result in spite of --no-cache")


def test_failed_step_is_not_kept(case):
    case.dockerfile("FROM busybox", MARK + "/kept", "RUN test -e /go || { touch /go; exit 7; }")
    case.fails(status=1, says=["exit", "7"])
    case.fails(status=1, says=["exit", "7"])
    case.dockerfile("FROM busybox", MARK + "/kept", "RUN touch /go")
    first = case.build()
    expect_equal(case.build().file("kept"), first.file("kept"))


def test_one_changed_file_of_many(case):
    """What a COPY gives does not depend on what it gave before: files are taken over only where nothing is changed."""
    files = {"tree/%d/%d" % (i // 10, i): "content %d\n" % i for i in range(60)}
    for name, content in files.items():
        case.write(name, content)
    case.dockerfile("FROM busybox", "COPY tree /tree/", "RUN echo more >> /tree/0/3; chmod 600 /tree/0/4")
    case.build(platforms=BOTH)
    times = os.stat(os.path.join(case.context, "tree/0/1"))
    case.write("tree/0/1", "CONTENT 1\n")  # same size and time
    os.utime(os.path.join(case.context, "tree/0/1"), ns=(times.st_atime_ns, times.st_mtime_ns))
    os.chmod(os.path.join(case.context, "tree/1/12"), 0o755)
    case.write("tree/new", "new\n")
    os.remove(os.path.join(case.context, "tree/5/59"))
    epoch = {"SOURCE_DATE_EPOCH": "1000000000"}  # without it the configuration tells when the RUN ran
    again = case.build("--reproducible", platforms=BOTH, env=epoch)
    fresh = case.build("--reproducible", platforms=BOTH, root=case.new_directory("fresh-store"), env=epoch)
    expect_equal(again.digests(), fresh.digests())
    expect_equal(again.file("tree/0/1"), "CONTENT 1")
    expect_equal(again.file("tree/0/3"), "content 3\nmore")


def test_names_that_were_hard_links(case):
    """Files that are not one any more are not taken over from a layer in which they were."""
    case.write("tree/a", "the same\n")
    os.link(case.context + "/tree/a", case.context + "/tree/b")
    case.dockerfile("FROM busybox", "COPY tree /tree/")
    case.build()
    shutil.copy2(case.context + "/tree/a", case.context + "/tree/c")
    os.rename(case.context + "/tree/c", case.context + "/tree/a")
    again = case.build()
    expect_equal(again.digests(), case.build(root=case.dir + "/other").digests())
