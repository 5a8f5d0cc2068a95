"""Native programs that stand in for emulated ones: the same result, and nothing of them is seen."""
import json
import os
import re

from support import BOTH, FOREIGN, MACHINE, Skip, expect, expect_equal, quick

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
           "RUN sha256sum /opt/* > /sums; find /usr -newer /opt/a > /newer; ls -la /dev > /dev.list; A=b env > /env",
           "RUN useradd -m someone; su someone -c 'id > ~/id; touch ~/x; ls -ln ~ | cut -c1-20 > /tmp/list'",
           "USER nobody", "RUN id > /tmp/id; cat /proc/self/comm > /tmp/comm; sh -c 'echo $0' > /tmp/zero")
    made = build(case, "--accel", "verify", "--network", "none")
    expect("programs ran natively" in made.text, "no word of what ran natively")


def test_what_no_two_runs_agree_on_is_named(case):
    debian(case, "RUN head -c 8 /dev/urandom > /random; sed s/a/b/ /etc/passwd > /same")
    made = build(case, "--accel", "verify", "--network", "none")
    expect("left out, as emulated runs differ too: random" in made.text, made.text)


def test_numbers_and_versions_are_those_of_the_platform(case):
    debian(case, "RUN /usr/bin/printf '%.40f\\n' 0.1 > /printf; seq -f %.30f 0 0.001 0.1 > /seq; dpkg-deb --version > /version;"
           " printf '1.00000000000000000001\\n1.0000000000000000000\\n' | sort -g > /sorted; numfmt --format=%.20f 0.1 > /numfmt")
    build(case, "--accel", "verify", "--network", "none")


def test_what_libc_loads_by_need_is_there(case):
    """Services that look users up, and conversions: of messages that are written in another character set than UTF-8."""
    debian(case, "RUN sed -i 's/^passwd:.*/passwd: compat/; s/^group:.*/group: compat/' /etc/nsswitch.conf",
           "RUN id games > /id; install -o games -g users /id /owned; ls -l /owned | cut -c1-40 > /list",
           "RUN export LC_ALL=C.UTF-8; for l in ja ko pl pt he cs da tr; do for p in tar sed grep find diff; do"
           " echo $l $p; LANGUAGE=$l $p --help; LANGUAGE=$l $p --nothing; done; done > /messages 2>&1 || true")
    made = build(case, "--accel", "verify", "--network", "none")
    expect("uid=5(games)" in made.file("id", FOREIGN), made.file("id", FOREIGN))


def test_what_processors_do_not_agree_on(case):
    """The sign of what is not a number, a negative number without a sign, and whether characters have one."""
    debian(case, "RUN awk 'BEGIN { print 0 / 0, log(-1) }' > /numbers 2>&1; echo inf | awk '{ print $1 - $1 }' >> /numbers",
           "RUN for i in -1 -8 2147483648 -1e18; do echo $i; done | awk '{ printf \"%x %o %u %d\\n\", $1, $1, $1, $1 }' > /unsigned",
           "RUN mkdir /s; cd /s; c=$(printf '\\351'); echo 1${c}2${c}3 | split -t $c -l 1; echo $c | sed -n --debug p > debug",
           "RUN x=$(printf '\\303'); case $x in [a-é]) echo in;; *) echo out;; esac > /range")
    build(case, "--accel", "verify", "--network", "none")


def test_limits_of_memory_are_none_as_under_the_emulator(case):
    debian(case, "RUN ulimit -v 300000; ulimit -d 200000; ulimit -s 4000; ulimit -v > /limits; ulimit -d >> /limits;"
           " ulimit -s >> /limits; /usr/bin/printf '%s\\n' emulated > /out; awk 'BEGIN { print 1 }' >> /out")
    made = build(case, "--accel", "verify", "--network", "none")
    expect_equal(made.file("out", FOREIGN).split(), ["emulated", "1"])


def test_users_of_a_service_that_the_sibling_lacks(case):
    debian(case, "RUN readlink /proc/self/exe > /native; for d in /usr/lib/*-linux-gnu; do touch $d/libnss_own.so.2; done;"
           " sed -i 's/^passwd:.*/passwd: files own/' /etc/nsswitch.conf; readlink /proc/self/exe > /emulated")
    made = build(case)
    expect(made.file("native", FOREIGN).startswith("/proc/driver/p/"), made.file("native", FOREIGN))
    expect_equal(made.file("emulated", FOREIGN), "/usr/bin/readlink")


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


def test_apt_and_dpkg_work_for_the_platform(case):
    """Natively: they have their own architecture compiled in."""
    package = ("mkdir -p /p/$a/DEBIAN /p/$a/usr/share/own; echo of $a > /p/$a/usr/share/own/file; export SOURCE_DATE_EPOCH=1;"
               " printf 'Package: own-%s\\nVersion: 1.0\\nArchitecture: %s\\nMaintainer: nobody <n@example.org>\\n"
               "Description: of this test\\n' $a $a > /p/$a/DEBIAN/control;"
               " printf '#!/bin/sh\\necho \"$DPKG_MAINTSCRIPT_ARCH $1\" >> /scripts\\n' > /p/$a/DEBIAN/postinst;"
               " chmod 755 /p/$a/DEBIAN/postinst; dpkg-deb -b --root-owner-group /p/$a /p/$a.deb > /dev/null")
    debian(case, "RUN dpkg --print-architecture > /arch; apt-config shell A APT::Architecture > /shell; apt-config dump > /dump;"
           " apt-get --version > /version; dpkg --version >> /version; apt-get > /help; apt-get moo > /moo; dpkg-query -W > /packages",
           "RUN for a in arm64 amd64 all; do " + package + "; done",
           "RUN dpkg -i /p/arm64.deb; dpkg -i /p/amd64.deb > /refused 2>&1 || echo $? >> /refused; apt-get install -y /p/all.deb;"
           " dpkg -s own-arm64 > /status; apt-cache policy own-all > /policy; apt-mark auto own-all; dpkg -l > /list;"
           " dpkg --compare-versions 1~rc lt 1 && echo less > /less",
           "RUN dpkg --add-architecture armhf; apt-config dump > /dump2; dpkg --print-foreign-architectures > /foreign",
           "RUN echo 'APT::Architecture \"riscv64\";' > /etc/apt/apt.conf.d/own; apt-config shell A APT::Architecture > /own;"
           " rm /etc/apt/apt.conf.d/own; echo 'APT::Architecture \"s390x\";' > /conf; APT_CONFIG=/conf apt-config dump > /own2",
           "RUN su nobody -s /bin/sh -c 'apt-config dump; dpkg --print-architecture; cat /proc/self/comm' > /nobody")
    made = build(case, "--accel", "verify", "--network", "none")
    arch = FOREIGN.split("/")[1]
    expect_equal(made.file("arch", FOREIGN), arch)
    expect_equal(made.file("shell", FOREIGN), "A='%s'" % arch)
    expect('APT::Architecture "riscv64"' in made.file("dump2", FOREIGN) or arch in made.file("dump2", FOREIGN), "no architecture")
    expect("(%s)" % arch in made.file("version", FOREIGN), made.file("version", FOREIGN))
    expect_equal(made.file("own", FOREIGN), "A='riscv64'")
    counts = [tuple(map(int, pair)) for pair in re.findall(r"accel: (\d+) of (\d+) programs ran natively", made.text)]
    expect(len(counts) == 6 and all(programs - native <= 4 for native, programs in counts), counts)


def test_apt_in_another_root(case):
    debian(case, "RUN " + ROOT,
           "RUN chroot /r /bin/sh -c 'apt-config dump > /dump; dpkg --print-architecture > /arch; apt-get check; env > /env;"
           " apt-cache policy dash > /policy'")
    made = build(case, "--accel", "verify", "--network", "none")
    expect_equal(made.file("r/arch", FOREIGN), FOREIGN.split("/")[1])


APK_DATABASE = (r"""mkdir -p /lib/apk/db; printf 'P:busybox\nV:1.36.1-r29\nF:bin\nR:busybox\nZ:Q1%s\n\n' """
                r""" "$(printf "$(sha1sum /bin/busybox | cut -c1-40 | sed 's/../\\x&/g')" | base64)" > /lib/apk/db/installed""")


def test_programs_of_alpine(case):
    """A database of apk, whose busybox is known by its SHA-1."""
    case.dockerfile("FROM busybox", "RUN " + APK_DATABASE)
    base = os.path.join(case.dir, "alpine")
    case.build("-o", "type=oci,tar=false,dest=" + base, export=False, platforms=BOTH)
    case.dockerfile("FROM alpine", "RUN readlink /proc/self/exe > /exe; uname -m > /machine; busybox readlink /proc/self/exe >> /exe;"
                    " busybox seq 2 > /seq; mkdir /links; /bin/busybox --install -s /links; readlink /links/cat > /link",
                    "RUN printf 'echo $0 $1\\n' > /script; chmod 755 /script; /script one > /said; A=b env > /env; id > /id;"
                    " for i in 1 2 3 4 5; do cat /etc/passwd | sort -n | gzip -n > /z.gz; done",
                    "RUN sed -i s/r29/r30/ /lib/apk/db/installed", "RUN readlink /proc/self/exe > /exe2")
    made = case.build("--build-context", "alpine=oci-layout://" + base, platforms=(FOREIGN,))
    exe = made.file("exe", FOREIGN).split()
    expect(len(exe) == 2 and all(one.startswith("/proc/driver/p/") for one in exe), exe)
    expect_equal(made.file("machine", FOREIGN), MACHINE[FOREIGN])
    expect_equal(made.file("link", FOREIGN), "/bin/busybox")
    expect_equal(made.file("exe2", FOREIGN), "/bin/busybox")
    off = case.build("--build-context", "alpine=oci-layout://" + base, "--accel", "off", platforms=(FOREIGN,))
    for name in ("seq", "link", "said", "env", "id"):
        expect_equal(made.file(name, FOREIGN), off.file(name, FOREIGN))


def test_tools_of_go(case):
    """Those of one release are known by its time; busybox, which is `link`, too, stands for them."""
    tool = "/go/pkg/tool/linux_$TARGETARCH"
    case.dockerfile("FROM busybox", "ARG TARGETARCH", "RUN mkdir -p %s; cp /bin/busybox %s/link; printf 'go1.99\\ntime 2023-11-14T22:13:20Z\\n'"
                    " > /go/VERSION; touch -d @1700000000 %s/link" % (tool, tool, tool))
    base = os.path.join(case.dir, "golang")
    case.build("-o", "type=oci,tar=false,dest=" + base, export=False, platforms=BOTH)
    case.dockerfile("FROM golang", "ARG TARGETARCH", "RUN echo one > /a; GOOS=linux GOARCH=$TARGETARCH %s/link /a /b" % tool,
                    "RUN %s/link /a /c; cat /c" % tool, "RUN touch %s/link; GOOS=linux GOARCH=$TARGETARCH %s/link /a /d" % (tool, tool))
    made = case.build("--build-context", "golang=oci-layout://" + base, "--progress", "rawjson", platforms=(FOREIGN,))
    native = [int(n) for n in re.findall(r'"native":\s*(\d+)', made.text)]
    expect_equal(sorted(native), [0, 0, 1])
    expect_equal(made.file("d", FOREIGN), "one")


ROOT = "mkdir -p /r && cp -a /usr /bin /sbin /lib /etc /var /r/ && (cp -a /lib64 /r/ 2>/dev/null || true)"


def test_in_another_root(case):
    """As with the second stage of debootstrap: there is no /proc, and nothing of mbuild's is seen."""
    debian(case, "RUN " + ROOT,
           "RUN chroot /r /bin/sh -c 'i=0; while [ $i -lt 20 ]; do i=$((i + 1)); /bin/cat /etc/debian_version >> /cat; done'",
           # The list is not in what it lists: whether it is there by the time that ls reads would be chance.
           "RUN cd /usr && chroot /r /bin/sh -c 'pwd > /pwd; cd /usr/bin && pwd >> /pwd; ls -n / | cut -c1-18 > /etc/list; env | sort > /env;"
           " uname -m > /machine; (echo x >&3) 2>/dev/null || echo closed > /fd;"
           " tar -C /etc -cf /etc.tar --mtime=@0 --sort=name passwd group; gzip -n /etc.tar; dpkg-deb --version > /version'",
           "RUN chroot --userspec=nobody /r /bin/sh -c 'id -u; cat /etc/passwd | sed s/a/b/' > /nobody")
    made = build(case, "--accel", "verify", "--network", "none")
    counts = [tuple(map(int, pair)) for pair in re.findall(r"accel: (\d+) of (\d+) programs ran natively", made.text)]
    # The loop is one shell that is native, and twenty cats; chroot itself is emulated.
    expect(any(native >= 21 and programs == native + 1 for native, programs in counts), counts)
    expect_equal(made.file("r/fd", FOREIGN), "closed")
    expect_equal(made.file("r/machine", FOREIGN), MACHINE[FOREIGN])
    expect("proc/driver" not in "\n".join(made.tree(FOREIGN)), "something is left")


def test_a_package_that_comes_when_its_programs_have_run(case):
    """dpkg's database of a new root begins empty."""
    debian(case, "RUN " + ROOT, "RUN mv /r/var/lib/dpkg/status /status; chroot /r /bin/cat /etc/debian_version;"
           " mv /status /r/var/lib/dpkg/status; i=0; while [ $i -lt 20 ]; do i=$((i + 1));"
           " chroot /r /bin/cat /etc/debian_version; done")
    made = build(case, "--accel", "verify", "--network", "none")
    counts = [tuple(map(int, pair)) for pair in re.findall(r"accel: (\d+) of (\d+) programs ran natively", made.text)]
    expect(any(native >= 22 and programs > 40 for native, programs in counts), counts)


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


def test_copies_of_emulators_are_in_the_list_of_the_store(case):
    debian(case, "RUN readlink /proc/self/exe > /exe")
    arguments = ("--build-context", "debian=oci-layout://%s:debian" % case.bases)
    case.build(*arguments, platforms=(FOREIGN,))
    case.settle()

    def copies():
        lines = case.check(case.mbuild, "du", "--root", case.root, "--format", "json").splitlines()
        return [one for one in map(json.loads, lines) if one["Description"].startswith("copy of an emulator")]
    one, = copies()
    expect("qemu-" in one["Description"] and one["Size"] > 1000000 and one["Reclaimable"], one)
    case.check(case.mbuild, "prune", "-f", "--root", case.root)
    expect_equal(copies(), [])
    made = case.build("--no-cache", *arguments, platforms=(FOREIGN,))
    expect(made.file("exe", FOREIGN).startswith("/proc/driver/"), made.file("exe", FOREIGN))


# ------------------------------------------------------------------------------------------------- compilers

APT_CACHE = """#!/bin/sh
case "$*" in
  "depends gcc") printf 'gcc\\n  Depends: gcc-14\\n' ;;
  "policy gcc-14") printf '  Candidate: 2\\n' ;;
  *) printf '  Candidate: %s\\n' ;;
esac
"""
# What installs "binutils": a program that tells by which path it is executed.
INSTALL = """#!/bin/sh
set -e
case "$*" in *install*) ;; *) exit 0 ;; esac
cp /usr/bin/readlink /usr/bin/aarch64-linux-gnu-as
printf '\\nPackage: binutils-aarch64-linux-gnu\\nStatus: install ok installed\\nVersion: 2\\n' >> /var/lib/dpkg/status
(cd / && md5sum usr/bin/aarch64-linux-gnu-as) > /var/lib/dpkg/info/binutils-aarch64-linux-gnu.md5sums
echo made >> /count
"""


def base_with_compilers(case, cross_version):
    """An image for both platforms whose package manager has a cross compiler of this version."""
    if FOREIGN != "linux/arm64":
        raise Skip("there are packs for linux/arm64 only")
    case.write("apt-cache", APT_CACHE % cross_version, 0o755)
    case.write("apt-get", INSTALL, 0o755)
    debian(case, "COPY apt-cache apt-get /usr/bin/")
    base = os.path.join(case.dir, "base")
    case.check(*case.command("--build-context", "debian=oci-layout://%s:debian" % case.bases, "-t", "base", "-o",
                             "type=oci,tar=false,dest=" + base, platforms=BOTH))
    return base


def build_on(case, base, *arguments, **options):
    return case.build("--build-context", "base=oci-layout://%s:latest" % base, *arguments, platforms=(FOREIGN,), **options)


ASSEMBLE = "RUN apt-get install binutils; aarch64-linux-gnu-as /proc/self/exe > /exe"


def test_a_cross_compiler_stands_in(case):
    base = base_with_compilers(case, "2cross1")
    case.dockerfile("FROM base", ASSEMBLE)
    made = build_on(case, base, "--accel", "compilers")
    expect(made.file("exe", FOREIGN).startswith("/proc/driver/p/"), made.file("exe", FOREIGN))
    expect("proc/driver" not in "\n".join(made.tree(FOREIGN)), "something of the pack is in the image")
    # The pack is made once.
    expect("looking for compilers" in made.text, "no word of the pack")
    case.dockerfile("FROM base", ASSEMBLE, "RUN aarch64-linux-gnu-as /proc/self/exe > /exe2")
    again = build_on(case, base, "--accel", "compilers")
    expect("looking for compilers" not in again.text, "the pack was made twice")
    expect(again.file("exe2", FOREIGN).startswith("/proc/driver/p/"), again.file("exe2", FOREIGN))
    # Who asks for none gets none of a record either.
    expect_equal(build_on(case, base).file("exe2", FOREIGN), "/usr/bin/aarch64-linux-gnu-as")


def test_no_cross_compiler_unless_asked_for(case):
    base = base_with_compilers(case, "2cross1")
    case.dockerfile("FROM base", ASSEMBLE)
    made = build_on(case, base)
    expect_equal(made.file("exe", FOREIGN), "/usr/bin/aarch64-linux-gnu-as")
    expect("looking for compilers" not in made.text, "a pack was made")


def test_no_cross_compiler_of_another_version(case):
    base = base_with_compilers(case, "2+fix1cross1")
    case.dockerfile("FROM base", ASSEMBLE)
    expect_equal(build_on(case, base, "--accel", "compilers").file("exe", FOREIGN), "/usr/bin/aarch64-linux-gnu-as")


def test_a_changed_compiler_is_emulated(case):
    base = base_with_compilers(case, "2cross1")
    case.dockerfile("FROM base", "RUN apt-get install binutils; printf '\\0' >> /usr/bin/aarch64-linux-gnu-as;"
                    " aarch64-linux-gnu-as /proc/self/exe > /exe")
    expect_equal(build_on(case, base, "--accel", "compilers").file("exe", FOREIGN), "/usr/bin/aarch64-linux-gnu-as")


def test_a_pack_that_cannot_be_made(case):
    base = base_with_compilers(case, "2cross1")
    case.write("apt-get", "#!/bin/sh\necho broken >&2; exit 7\n", 0o755)
    case.dockerfile("FROM base", "COPY apt-get /usr/bin/")
    broken = os.path.join(case.dir, "broken")
    case.check(*case.command("--build-context", "base=oci-layout://%s:latest" % base, "-t", "base", "-o",
                             "type=oci,tar=false,dest=" + broken, platforms=BOTH))
    case.dockerfile("FROM base", "RUN echo fine > /fine")
    made = build_on(case, broken, "--accel", "compilers")
    expect_equal(made.file("fine", FOREIGN), "fine")
    expect("compilers are emulated" in made.text and "broken" in made.text, "no word of why")
