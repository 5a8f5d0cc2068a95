"""Which steps run at once, and in which order."""
from support import expect_equal, quick


def stages(names, run):
    """Stages that do not depend on each other, and a last one that needs them all. run(name) is the RUN of a stage."""
    lines = []
    for name in names:
        lines += ["FROM busybox AS " + name, "RUN --mount=type=cache,target=/meet,id=meet " + run(name)]
    lines += ["FROM busybox"] + ["COPY --from=%s /%s /" % (name, name) for name in names]
    return lines + ["RUN --mount=type=cache,target=/meet,id=meet cp /meet/log /log 2>/dev/null || touch /log"]


@quick
def test_independent_steps_run_at_once(case):
    """Each of three steps ends when the two others have begun."""
    case.dockerfile(*stages("abc", lambda name: "touch /meet/%s /%s; while [ ! -e /meet/a ] || [ ! -e /meet/b ] || [ ! -e /meet/c ]; "
                                                "do sleep 0.05; done" % (name, name)))
    case.build("--jobs", "3")


def test_locked_cache_mounts_in_any_order(case):
    """Steps that lock the same mounts in other orders, and one mount twice, do not wait for each other for ever."""
    lock = "--mount=type=cache,sharing=locked,id=%s,target=/%s "
    lines = []
    for i in range(12):
        first, second = ("one", "two") if i % 2 else ("two", "one")  # mounts are made in the order of their targets
        mounts = [lock % (first, "a"), lock % (second, "b"), lock % (second, "c")]
        lines += ["FROM busybox AS s%d" % i, "RUN " + "".join(mounts) + "mkdir /a/%s /b/%s && sleep 0.02 && "
                  "rmdir /a/%s /c/%s && touch /s%d" % (first, second, first, second, i)]
    case.dockerfile(*lines, "FROM busybox", *["COPY --from=s%d /s%d /" % (i, i) for i in range(12)])
    case.build()


def test_first_content_of_a_cache_mount(case):
    """Several steps find a mount that is not there yet; one gives it its content."""
    lines = ["FROM busybox AS seed", "RUN mkdir /seed && echo seed >/seed/file"]
    for i in range(6):
        lines += ["FROM busybox AS s%d" % i,
                  "RUN --mount=type=cache,from=seed,source=/seed,id=seeded,target=/m cp /m/file /s%d" % i]
    case.dockerfile(*lines, "FROM busybox", *["COPY --from=s%d /s%d /" % (i, i) for i in range(6)])
    build = case.build()
    expect_equal({build.file("s%d" % i) for i in range(6)}, {"seed"})


def test_no_more_at_once_than_jobs(case):
    """A step that meets another one fails."""
    case.dockerfile(*stages("abcd", lambda name: "mkdir /meet/alone && sleep 0.1 && rmdir /meet/alone && touch /" + name))
    case.build("--jobs", "1")


def test_the_longest_path_goes_first(case):
    """By the durations of the build before: as long as nothing is known, in the order of the Dockerfile."""
    lasts = {"one": "0", "two": "0", "three": "3"}
    case.dockerfile(*stages(lasts, lambda name: "echo %s >>/meet/log; sleep %s; touch /%s" % (name, lasts[name], name)))
    expect_equal(case.build("--jobs", "1").file("log").split(), ["one", "two", "three"])
    again = case.build("--jobs", "1", "--no-cache").file("log").split()  # its cache mount is empty at first
    expect_equal(again[0], "three", "order of the second build: " + " ".join(again))
