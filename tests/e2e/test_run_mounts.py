"""RUN --mount: whose cache a cache mount is, and secrets."""
import os

from support import expect, expect_equal, quick


def cache_line(options, command):
    return "RUN --mount=type=cache,id=c,target=/c%s %s" % (options, command)


@quick
def test_cache_mounts_are_named_by_what_they_start_from(case):
    """One store, one id: another owner, mode or first content is another directory, whoever came first."""
    starts = {"": "755 0:0", ",uid=1000,gid=1000": "755 1000:1000", ",uid=1001": "755 1001:0", ",mode=0700": "700 0:0",
              ",from=seed": "755 0:0"}
    for options in starts:
        case.dockerfile("FROM busybox AS seed", "RUN mkdir /s && echo seeded >/s/f", "FROM busybox",
                        cache_line(options, "touch /c/is-mine; stat -c '%a %u:%g' /c >/start; ls /c >/names"))
        build = case.build()
        expect_equal(build.file("start"), starts[options], options)
        expect(("s" in build.file("names").split()) == ("from" in options), "first content of", options)
    for n, options in enumerate(starts):  # each has kept its own
        case.dockerfile("FROM busybox AS seed", "RUN mkdir /s && echo seeded >/s/f", "FROM busybox",
                        cache_line(options, "ls /c >/names # %d" % n))
        expect("is-mine" in case.build().file("names"), "the content of", options)
    case.dockerfile("FROM busybox AS seed", "RUN mkdir /s && echo other >/s/f", "FROM busybox",
                    cache_line(",from=seed", "ls /c >/names; cat /c/s/f >/f"))
    build = case.build()
    expect_equal(build.file("f"), "other")
    expect("is-mine" not in build.file("names"), "another first content has the old directory")


@quick
def test_no_cache_starts_with_empty_cache_mounts(case):
    def lines(*extra):
        case.dockerfile("FROM busybox", cache_line("", "date >>/c/log; wc -l </c/log >/lines"), *extra)

    lines()
    expect_equal(case.build().file("lines"), "1")
    lines(cache_line("", "date >>/c/log; wc -l </c/log >/more"))
    build = case.build("--no-cache")
    expect_equal((build.file("lines"), build.file("more")), ("1", "2"), "an empty one, the same for all steps")
    lines("# another", cache_line("", "wc -l </c/log >/kept"))
    expect_equal(case.build().file("kept"), "2", "the new one has replaced the old one")


def test_a_failed_step_leaves_the_old_cache_mount(case):
    case.dockerfile("FROM busybox", cache_line("", "echo old >/c/f"))
    case.build()
    case.dockerfile("FROM busybox", cache_line("", "ls /c; test ! -e /c/f && echo new >/c/f && false"))
    build = case.fails("--no-cache", status=1)
    expect("did not complete" in build.text, "another failure")
    case.dockerfile("FROM busybox", cache_line("", "cp /c/f /f"))
    expect_equal(case.build().file("f"), "old")


@quick
def test_a_secret_may_be_a_program(case):
    tool = case.write("tool", "#!/bin/sh\necho ran\n")
    case.dockerfile("FROM busybox", "RUN --mount=type=secret,id=tool,target=/t,mode=0700 /t >/out",
                    "RUN --mount=type=secret,id=tool,target=/t grep ' /t ' /proc/mounts >/mounts")
    build = case.build("--secret", "id=tool,src=" + tool)
    expect_equal(build.file("out"), "ran")
    expect("noexec" in build.file("mounts"), "a secret without x can be executed")


@quick
def test_secrets_that_are_not_there(case):
    case.dockerfile("FROM busybox", "RUN echo it-ran", "RUN --mount=type=secret,id=token,required=true"
                    " wc -c </run/secrets/token >/size")
    build = case.build("--secret", "id=token,env=MBUILD_NO_SUCH_VARIABLE")
    expect_equal(build.file("size"), "0", "of a variable that is not set")
    for path in (os.path.join(case.dir, "none"), case.dir):
        build = case.fails("--secret", "id=token,src=" + path, "--no-cache", status=2, says=["secret token", path])
        expect("it-ran" not in build.text, "a step ran before the secret was looked for")
