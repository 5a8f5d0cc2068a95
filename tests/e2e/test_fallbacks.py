"""Where a host lacks something, the next best way is taken; MBUILD_TEST_DISABLE makes it lack things."""
from support import BOTH, FOREIGN, HOST, MARK, expect, expect_equal


def ordinary(case):
    case.write("a", "a\n")
    case.dockerfile("FROM busybox", "COPY a /a", "RUN echo one > /one", "RUN rm /one && echo two > /two",
                    "RUN mkdir -p /x/y && echo deep > /x/y/z", "WORKDIR /x", "RUN cat y/z /a > all")


def test_lowerdir_plus(case):
    """Overlays are mounted in the way of kernels before 6.5."""
    ordinary(case)
    wanted = case.build(platforms=BOTH)
    found = case.build(platforms=BOTH, env={"MBUILD_TEST_DISABLE": "lowerdir-plus"}, root=case.dir + "/other-store")
    for name in BOTH:
        expect_equal({path: file.facts() for path, file in found.tree(name).items()},
                     {path: file.facts() for path, file in wanted.tree(name).items()})


def test_many_layers(case):
    """More layers than one overlay is given."""
    case.dockerfile("FROM busybox", *["RUN echo %d > /f%d" % (i, i) for i in range(60)], "RUN ls / > /list")
    for disable in ("", "lowerdir-plus"):
        build = case.build(env={"MBUILD_TEST_DISABLE": disable}, root=case.dir + "/store" + disable)
        expect_equal(build.file("f59"), "59")
        expect("f0" in build.file("list").split(), "the first layer is not seen by the last step")


def test_no_private_binfmt(case):
    """Without it a foreign step runs by the host's registration, or the error has the command that makes one."""
    ordinary(case)
    env = {"MBUILD_TEST_DISABLE": "binfmt-ns"}
    case.build(platforms=(HOST,), env=env)
    build = case.attempt(platforms=(FOREIGN,), env=env)
    if build.status:
        expect_equal(build.status, 5)
        expect("binfmt" in build.text, "the message does not name what is missing")


def test_one_id_only(case):
    """Without subordinate ids COPY keeps all owners, and RUN as root works."""
    case.write("a", "a\n")
    case.dockerfile("FROM busybox", "COPY --chown=1000:50 a /owned", "COPY a /plain", "RUN cat /owned > /read",
                    MARK + "/mark", "COPY --chown=7:8 --from=busybox /bin/busybox /bin/tool")
    env = {"MBUILD_TEST_DISABLE": "userns-ranges"}
    build = case.build(env=env)
    tree = build.tree()
    expect_equal(tree["owned"].owner, (1000, 50))
    expect_equal(tree["plain"].owner, (0, 0))
    expect_equal(tree["bin/tool"].owner, (7, 8))
    expect_equal(tree["read"].owner, (0, 0))
    expect_equal(tree["home/app"].owner, (1000, 1000), "owner in the base")
    expect_equal(case.build(env=env).file("mark"), build.file("mark"))
