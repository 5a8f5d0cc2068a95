"""Where a host lacks something, the next best way is taken; MBUILD_TEST_DISABLE makes it lack things."""
import os

from support import BOTH, FOREIGN, HOST, MACHINE, MARK, expect, expect_equal


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
    """Without it and traced execs a foreign step runs by the host's registration, or the error has a command."""
    ordinary(case)
    env = {"MBUILD_TEST_DISABLE": "binfmt-ns,exec-trace"}
    case.build(platforms=(HOST,), env=env)
    build = case.attempt(platforms=(FOREIGN,), env=env)
    if build.status:
        expect_equal(build.status, 5)
        expect("binfmt" in build.text, "the message does not name what is missing")


def test_traced_execs(case):
    """Without a handler for foreign programs each exec of a step is traced: all is found and fails as it does with one."""
    case.dockerfile(
        "FROM busybox",
        r"""RUN printf '#!/bin/sh -e x\necho "$0" "$@"\n' > /s; printf '#!/s one two\n' > /t; chmod +x /s /t; """
        r"""printf '#!/bin/sh\necho "<$0>" "<$1>" "<$2>"\n' > /u; printf 'junk\n' > /junk; chmod 755 /u /junk""",
        "RUN uname -m > /out; /u 'a b' c >> /out; cd / && ./u d >> /out; (exit 3) || echo $? >> /out",
        "RUN /nowhere 2>/dev/null || echo $? >> /out; chmod 644 /u; /u 2>/dev/null || echo $? >> /out; chmod 755 /u",
        "RUN mkdir -p /c/bin && cp -a /bin/busybox /c/bin/sh && for d in /lib /lib64 /usr/lib; do "
        "[ ! -d $d ] || { mkdir -p /c/${d%/*}; cp -a $d /c/$d; }; done; chroot /c /bin/sh -c 'echo in $0' >> /out",
        "RUN sh -c 'kill -9 $$' || echo $? >> /out; sleep 1 & kill -STOP $!; kill -CONT $!; wait $!; echo $? >> /out",
        "RUN i=0; while [ $i -lt 20 ]; do (/bin/true) & i=$((i+1)); done; wait; echo all >> /out",
        "RUN x=$(printf '%070000d' 0); sh -c 'echo ${#1}' sh \"$x\" >> /out; set -- $(seq 9000); "
        "sh -c 'echo $#' sh \"$@\" >> /out",
        "USER app", "RUN id -un > /tmp/user")
    wanted = case.build(platforms=(FOREIGN,))
    found = case.build(platforms=(FOREIGN,), env={"MBUILD_TEST_DISABLE": "binfmt-ns"}, root=case.dir + "/other-store")
    for name in ("out", "tmp/user"):
        expect_equal(found.file(name, FOREIGN), wanted.file(name, FOREIGN), name)
    expect("in /bin/sh" in found.file("out", FOREIGN) or "in sh" in found.file("out", FOREIGN), found.file("out", FOREIGN))


def test_programs_started_in_a_traced_container(case):
    env = {"MBUILD_TEST_DISABLE": "binfmt-ns"}
    image = "oci-layout:%s:busybox" % case.bases
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "traced", "--root", case.root]))
    case.check(case.mbuild, "run", "-d", "--name", "traced", "--platform", FOREIGN, "--root", case.root, image, "sh", "-c",
               "while :; do sleep 0.1; done", env=env)
    found = case.check(case.mbuild, "exec", "--root", case.root, "traced", "sh", "-c", "uname -m; ps", env=env)
    expect_equal(found.split("\n")[0], MACHINE[FOREIGN])
    expect("mbuild" not in found, "what traces is seen", found)
    status = case.run([case.mbuild, "exec", "--root", case.root, "traced", "sh", "-c", "exit 7"], env=env).status
    expect_equal(status, 7)


def test_traced_execs_read_nothing_of_the_host(case):
    """A path that leads out of what is the process's own below /proc/self is not looked for among the host's files."""
    place = case.new_directory("host")
    with open(place + "/script", "w") as f:
        f.write("#!/bin/own leaked\n")
    os.chmod(place + "/script", 0o755)
    case.dockerfile("FROM busybox", r"RUN printf '#!/bin/sh\necho $1 > /out\n' > /bin/own; chmod 755 /bin/own; "
                    "mkdir -p %s; echo junk > %s/script; chmod 755 %s/script; : > /out; /proc/self/../1/root%s/script || :"
                    % (place, place, place, place))
    built = case.build(platforms=(FOREIGN,), env={"MBUILD_TEST_DISABLE": "binfmt-ns"})
    expect_equal(built.file("out", FOREIGN), "")


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
