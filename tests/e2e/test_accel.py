"""Native programs that stand in for emulated ones: the same result, and nothing of them is seen."""
import os

from support import FOREIGN, MACHINE, Skip, expect, expect_equal, quick

def debian(case, *lines):
    """A Dockerfile on Debian, where there is one among the bases."""
    with open(os.path.join(case.bases, "index.json")) as f:
        if '"debian"' not in f.read():
            raise Skip("no Debian base")
    case.dockerfile("FROM debian", *lines)


def build(case, *arguments, **options):
    return case.build("--build-context", "debian=oci-layout://%s:debian" % case.bases, *arguments,
                      platforms=(FOREIGN,), **options)


@quick
def test_a_native_program_stands_in(case):
    debian(case, "RUN readlink /proc/self/exe > /exe; uname -m > /machine")
    made = build(case)
    expect(made.file("exe", FOREIGN).startswith("/proc/driver/p/"), made.file("exe", FOREIGN))
    expect_equal(made.file("machine", FOREIGN), MACHINE[FOREIGN])


@quick
def test_none_without_it(case):
    debian(case, "RUN readlink /proc/self/exe > /exe")
    expect_equal(build(case, "--accel", "off").file("exe", FOREIGN), "/usr/bin/readlink")


def test_a_record_with_native_programs_is_none_without_them(case):
    debian(case, "RUN readlink /proc/self/exe > /exe")
    build(case)
    expect_equal(build(case, "--accel", "off").file("exe", FOREIGN), "/usr/bin/readlink")
    # One without them is good for all.
    expect_equal(build(case).file("exe", FOREIGN), "/usr/bin/readlink")


def test_both_ways_agree(case):
    debian(case, "RUN cd /opt && seq 2000 > a && tar --sort=name --mtime=@0 -cf a.tar a && gzip -n a.tar",
           "RUN sha256sum /opt/* > /sums; find /usr -newer /opt/a > /newer; ls -la /dev > /dev.list; env | sort > /env",
           "RUN useradd -m someone; su someone -c 'id > ~/id; touch ~/x; ls -ln ~ | cut -c1-20 > ~/list'",
           "USER nobody", "RUN id > /tmp/id; cat /proc/self/comm > /tmp/comm; sh -c 'echo $0' > /tmp/zero")
    build(case, "--accel", "verify")


def test_a_changed_program_is_emulated(case):
    debian(case, "RUN cp /usr/bin/readlink /tmp/own; /tmp/own /proc/self/exe > /one",
           "RUN printf '\\0' >> /usr/bin/readlink; readlink /proc/self/exe > /two")
    made = build(case)
    expect_equal(made.file("one", FOREIGN), "/tmp/own")
    expect_equal(made.file("two", FOREIGN), "/usr/bin/readlink")


def test_variables_that_mean_the_loader_or_the_emulator(case):
    debian(case, "RUN for v in LD_LIBRARY_PATH=/x LD_PRELOAD=/nowhere QEMU_CPU=max GCONV_PATH=/y LC_ALL=de_DE.ISO-8859-1; do"
           " env $v readlink /proc/self/exe >> /exe 2>/dev/null; done; env LC_ALL=C.UTF-8 readlink /proc/self/exe >> /utf")
    made = build(case)
    expect_equal(made.file("exe", FOREIGN).split(), ["/usr/bin/readlink"] * 5)
    expect(made.file("utf", FOREIGN).startswith("/proc/driver/"), made.file("utf", FOREIGN))


def test_a_preload_of_the_system(case):
    debian(case, "RUN touch /etc/ld.so.preload; readlink /proc/self/exe > /exe")
    expect_equal(build(case).file("exe", FOREIGN), "/usr/bin/readlink")


def test_another_root_is_emulated(case):
    debian(case, "RUN mkdir -p /r && cp -a /usr /bin /lib /r/ && cp -a /lib64 /r/ 2>/dev/null; chroot /r /bin/sh -c 'echo done' > /done")
    expect_equal(build(case).file("done", FOREIGN), "done")


def test_nothing_is_left(case):
    debian(case, "RUN sed s/a/b/ /etc/passwd | gzip > /x.gz; ls -la /proc/driver/p > /list; ! touch /proc/driver/x; ! rm -rf /proc/driver/p")
    made = build(case)
    expect("proc/driver" not in "\n".join(made.layers(FOREIGN)[-1]), made.layers(FOREIGN)[-1])
    expect(made.file("list", FOREIGN) != "", "no programs")


def test_a_database_that_never_ends(case):
    """Who supervises the step reads what the step has put in the place of dpkg's database."""
    debian(case, "RUN rm /var/lib/dpkg/status; ln -s /dev/zero /var/lib/dpkg/status; tac /etc/passwd > /dev/null; echo fine > /fine",
           "RUN rm /var/lib/dpkg/status; mkfifo /var/lib/dpkg/status; tac /etc/passwd > /dev/null; echo fine > /fine2; rm /var/lib/dpkg/status")
    made = build(case)
    expect_equal(made.file("fine2", FOREIGN), "fine")


def test_programs_that_are_of_no_package(case):
    case.dockerfile("FROM busybox", "RUN uname -m > /machine")
    expect_equal(case.build(platforms=(FOREIGN,)).file("machine", FOREIGN), MACHINE[FOREIGN])


def test_a_level_that_is_none(case):
    case.dockerfile("FROM busybox", "RUN true")
    case.fails("--accel", "fast", status=2, says=("--accel", "verify"))
