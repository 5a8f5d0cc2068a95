"""Compiler packs that are made on purpose, kept, pushed and pulled, and found by builds. What stands for Debian's
package manager has one cross compiler, an "assembler" that tells by which path it is executed."""
import json
import os
import shutil

import oci
from registry import Registry
from support import BOTH, FOREIGN, MACHINE, Skip, expect, expect_equal, quick
from test_accel import APT_CACHE, debian

APT_GET = """#!/bin/sh
set -e
as=usr/bin/aarch64-linux-gnu-as
case " $* " in
  *" install "*)
    cp /usr/bin/readlink /$as
    printf 'Package: binutils-aarch64-linux-gnu\\nStatus: install ok installed\\nMaintainer: x\\nArchitecture: %s\\nVersion: 2\\nDescription: x\\n\\n' \
      $(dpkg --print-architecture) >> /var/lib/dpkg/status
    (cd / && md5sum $as) > /var/lib/dpkg/info/binutils-aarch64-linux-gnu.md5sums
    ;;
  *" download "*)
    mkdir -p d/DEBIAN d/usr/bin
    cp /usr/share/foreign d/$as
    printf 'Package: x\\nVersion: 2\\nArchitecture: arm64\\nMaintainer: x\\nDescription: x\\n' > d/DEBIAN/control
    dpkg-deb -b d x.deb
    rm -r d
    ;;
esac
"""
ASSEMBLE = "RUN apt-get install binutils; aarch64-linux-gnu-as /proc/self/exe > /exe"
EMULATED = "/usr/bin/aarch64-linux-gnu-as"
ARTIFACT = "application/vnd.mbuild.compiler-pack.v1"


def base_image(case, cross_version="2cross1", name="base"):
    if FOREIGN != "linux/arm64":
        raise Skip("there are packs for linux/arm64 only")
    case.write("apt-cache", APT_CACHE % cross_version, 0o755)
    case.write("apt-get", APT_GET, 0o755)
    debian(case, "COPY apt-cache apt-get /usr/bin/", "COPY --from=foreign /usr/bin/readlink /usr/share/foreign")
    text = open(os.path.join(case.context, "Dockerfile")).read()
    case.dockerfile("FROM --platform=%s debian AS foreign" % FOREIGN, text)
    base = os.path.join(case.dir, name)
    case.check(*case.command("--build-context", "debian=oci-layout://%s:debian" % case.bases, "-t", "base", "-o",
                             "type=oci,tar=false,dest=" + base, platforms=BOTH))
    return base


def accel(case, *words, root=None, **options):
    return case.check(case.mbuild, "accel", words[0], "--root", root or case.root, *words[1:], **options)


def make(case, base, *arguments, root=None):
    """Makes a pack; its tag."""
    text = accel(case, "build-pack", "oci-layout://%s:latest" % base, "--progress", "plain", *arguments, root=root)
    expect("files written to" not in text, "a summary of what is done on the way", text)
    return text.split()[-1]


def build_on(case, base, *arguments, **options):
    return case.build("--build-context", "base=oci-layout://%s:latest" % base, *arguments, platforms=(FOREIGN,), **options)


def is_native(made):
    path = made.file("exe", FOREIGN)
    expect(path == EMULATED or path.startswith("/proc/driver/p/"), path)
    return path != EMULATED


@quick
def test_a_pack_of_the_store(case):
    base = base_image(case)
    expect_equal(len(json.loads(accel(case, "ls", "--format", "json"))), 0)
    tag = make(case, base)
    expect(tag.startswith("arm64-on-amd64-"), tag)
    listed = json.loads(accel(case, "ls", "--format", "json"))
    expect_equal([(one["name"], one["platform"], one["compilers"], one["kept"]) for one in listed],
                 [(tag, "linux/arm64", "binutils-aarch64-linux-gnu 2", True)])
    expect(tag in accel(case, "ls"), "the table lacks it")
    # Nothing is made, nothing fetched.
    case.dockerfile("FROM base", ASSEMBLE)
    made = build_on(case, base, "--accel", "compilers", "--network", "none")
    expect(is_native(made), made.text)
    expect("compilers of the pack %s (the store)" % tag in made.text, "no word of the pack")
    expect("looking for compilers" not in made.text, "a pack was made")
    expect("proc/driver" not in "\n".join(made.tree(FOREIGN)), "something of the pack is in the image")
    expect_equal(accel(case, "rm", tag), "Removed %s\n" % tag)
    expect_equal(json.loads(accel(case, "ls", "--format", "json")), [])
    case.fails_to_run([case.mbuild, "accel", "rm", "--root", case.root, tag], "no compiler pack", "mbuild accel ls")


def test_what_a_pack_says_of_itself(case):
    base = base_image(case)
    layout = os.path.join(case.dir, "packs")
    tag = make(case, base, "-o", "type=oci,tar=false,dest=" + layout)
    expect_equal(json.loads(accel(case, "ls", "--format", "json")), [])
    packs = oci.Layout(layout)
    with open(os.path.join(layout, "index.json")) as f:
        top, = json.load(f)["manifests"]
    expect_equal(top["annotations"]["org.opencontainers.image.ref.name"], tag)
    manifest = json.loads(packs.blob(top["digest"]))
    expect_equal(manifest["artifactType"], ARTIFACT)
    said = {key.rpartition(".")[2]: value for key, value in manifest["annotations"].items()}
    expect_equal((said["tag"], said["platform"], said["packages"]), (tag, "linux/arm64", "binutils-aarch64-linux-gnu 2"))
    for key in ("programs", "replaces"):
        digest, path = said[key].split()
        expect(digest.startswith("sha256:") and path == "usr/bin/aarch64-linux-gnu-as", said[key])
    expect(said["programs"] != said["replaces"], "both of one platform")
    # It stands on its own: the loader, the libraries, and the programs that are swapped anyway.
    tree = packs.tree(manifest)
    for path in ("usr/bin/aarch64-linux-gnu-as", "usr/bin/sed", "var/lib/dpkg/status", "usr/share/compiler-pack"):
        expect(path in tree, path, "is not in the pack")
    expect(any(path.endswith("libc.so.6") for path in tree), "no libc")


def test_a_pack_of_a_layout(case):
    base = base_image(case)
    layout = os.path.join(case.dir, "packs")
    make(case, base, "-o", "type=oci,tar=false,dest=" + layout, root=case.dir + "/other")
    case.dockerfile("FROM base", ASSEMBLE)
    # Who names packs wants compilers.
    made = build_on(case, base, "--accel-packs", layout, "--network", "none")
    expect(is_native(made), made.text)
    config = case.write("../config.toml", '[emulation]\npacks = ["%s"]\n' % layout)
    case.dockerfile("FROM base", "RUN true", ASSEMBLE)
    expect(is_native(build_on(case, base, "--network", "none", env={"MBUILD_CONFIG": config})), "not by the configuration")
    case.dockerfile("FROM base", "RUN true && true", ASSEMBLE)
    off = build_on(case, base, "--network", "none", "--accel", "safe", env={"MBUILD_CONFIG": config})
    expect(not is_native(off), "--accel=safe has compilers")


def test_both_ways_agree_with_a_pack(case):
    base = base_image(case)
    make(case, base)
    case.dockerfile("FROM base", "RUN apt-get install binutils; aarch64-linux-gnu-as -f /bin/sh > /out; uname -m > /machine")
    made = build_on(case, base, "--accel", "verify", "--network", "none")
    expect_equal(made.file("machine", FOREIGN), MACHINE[FOREIGN])
    expect("programs ran natively" in made.text, made.text)


def test_a_base_for_the_foreign_platform_alone(case):
    """The pack's own programs stand in for those of an image that is not for the host."""
    base = base_image(case)
    make(case, base)
    case.dockerfile("FROM --platform=%s base" % FOREIGN)
    alone = os.path.join(case.dir, "alone")
    case.check(*case.command("--build-context", "base=oci-layout://%s:latest" % base, "-t", "alone", "-o",
                             "type=oci,tar=false,dest=" + alone, platforms=(FOREIGN,)))
    case.dockerfile("FROM base", ASSEMBLE, "RUN readlink /proc/self/exe > /own")
    made = build_on(case, alone, "--accel", "compilers", "--network", "none")
    expect(is_native(made), made.text)
    expect(made.file("own", FOREIGN).startswith("/proc/driver/p/"), made.file("own", FOREIGN))


def test_a_program_that_only_says_to_be_the_compiler(case):
    """dpkg's checksums are a file of the image; the pack's are not."""
    base = base_image(case)
    make(case, base)
    case.dockerfile("FROM base", "RUN apt-get install binutils; printf '\\0' >> /usr/bin/aarch64-linux-gnu-as; cd /;"
                    " md5sum usr/bin/aarch64-linux-gnu-as > /var/lib/dpkg/info/binutils-aarch64-linux-gnu.md5sums;"
                    " aarch64-linux-gnu-as /proc/self/exe > /exe")
    expect(not is_native(build_on(case, base, "--accel", "compilers", "--network", "none")), "it was swapped")


def damage(layout):
    """Changes one byte of the largest blob."""
    blobs = os.path.join(layout, "blobs", "sha256")
    path = max((os.path.join(blobs, name) for name in os.listdir(blobs)), key=os.path.getsize)
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))


def test_packs_that_cannot_be_used(case):
    base = base_image(case)
    layout, empty = os.path.join(case.dir, "packs"), os.path.join(case.dir, "empty")
    tag = make(case, base, "-o", "type=oci,tar=false,dest=" + layout, root=case.dir + "/other")
    damage(layout)
    case.dockerfile("FROM base", ASSEMBLE, ASSEMBLE.replace("/exe", "/exe2", 2).replace("self/exe2", "self/exe"))
    made = build_on(case, base, "--accel-packs", layout, "--accel-packs", empty, "--network", "none")
    expect(not is_native(made), "a damaged pack was used")
    for place in (layout, empty):
        expect_equal(made.text.count("the compiler pack %s is passed over" % place), 1, place)
    # One that can be used is found behind them, be it the same.
    good = os.path.join(case.dir, "good")
    make(case, base, "-o", "type=oci,tar=false,dest=" + good, root=case.dir + "/other")
    shutil.copytree(good, layout, dirs_exist_ok=True)
    damage(layout)
    case.dockerfile("FROM base", "RUN true; true", ASSEMBLE)
    made = build_on(case, base, "--accel-packs", layout, "--accel-packs", empty, "--accel-packs", good, "--network", "none")
    expect("the compiler pack %s is passed over" % layout in made.text, made.text)
    expect(is_native(made), made.text)
    # An image of that name is no pack.
    other = os.path.join(case.dir, "image")
    case.dockerfile("FROM busybox")
    case.check(*case.command("-t", "x:" + tag, "-o", "type=oci,tar=false,dest=" + other))
    case.dockerfile("FROM base", "RUN true", ASSEMBLE)
    made = build_on(case, base, "--accel-packs", other, "--network", "none")
    expect("it is no compiler pack" in made.text and not is_native(made), made.text)


def test_a_pack_of_a_registry(case):
    base, registry = base_image(case), Registry(case)
    repository = registry.host + "/team/packs"
    other = case.dir + "/other"
    tag = make(case, base, "--push", repository, root=other)
    expect_equal(registry.tags("team/packs"), [tag])
    case.dockerfile("FROM base", ASSEMBLE)
    expect(is_native(build_on(case, base, "--accel-packs", repository, "--network", "none")), "it is not found")
    # Into a store, and from there to another repository.
    expect_equal(accel(case, "pull", "-q", "%s:%s" % (repository, tag)).strip(), tag)
    expect(tag in accel(case, "ls"), "it is not in the store")
    accel(case, "push", tag, registry.host + "/others/packs:gcc")
    expect_equal(registry.tags("others/packs"), sorted([tag, "gcc"]))
    directory = os.path.join(case.dir, "layout")
    accel(case, "push", tag, directory)
    expect(os.path.exists(directory + "/index.json"), "no layout")
    # One that has none for this base image is no matter.
    case.dockerfile("FROM base", "RUN true", ASSEMBLE)
    accel(case, "rm", tag)
    made = build_on(case, base, "--accel-packs", registry.host + "/nothing/here", "--network", "none")
    expect("passed over" not in made.text and not is_native(made), made.text)


@quick
def test_packs_that_are_asked_for_wrongly(case):
    mbuild = [case.mbuild, "accel"]
    case.fails_to_run(mbuild + ["build-pack", "debian", "--platform", "linux/s390x"], "no compiler packs for linux/s390x",
                      "linux/arm64")
    case.fails_to_run(mbuild + ["build-pack", "debian", "-o", "type=local,dest=x"], "type local", "type=oci,dest=FILE")
    case.fails_to_run(mbuild + ["pull", "--root", case.root, "localhost/x"], "is not said", "HOST/NAME:TAG")
    case.fails_to_run(mbuild + ["push", "--root", case.root, "x"], "two words")
    case.fails_to_run(mbuild + ["pull", "--root", case.root, "oci-layout://%s:busybox" % case.bases], "is no compiler pack")
    case.dockerfile("FROM busybox")
    case.fails("--accel-packs", "localhost/x:tag", status=2, says=("no tag", "HOST/NAME"))
    config = case.write("../config.toml", '[emulation]\npacks = ["Bad Name"]\n')
    wrong = case.run([case.mbuild, "config"], env={"MBUILD_CONFIG": config})
    expect(wrong.status == 2 and "emulation.packs" in wrong.text, wrong.text)


def test_a_pack_that_cannot_be_made_on_purpose(case):
    base = base_image(case, "2+fix1cross1")
    case.fails_to_run([case.mbuild, "accel", "build-pack", "--root", case.root, "--progress", "plain",
                       "oci-layout://%s:latest" % base], "as a cross compiler 2+fix1cross1", "same source", status=1)
    case.dockerfile("FROM busybox")
    plain = os.path.join(case.dir, "plain")
    case.check(*case.command("-t", "base", "-o", "type=oci,tar=false,dest=" + plain))
    case.fails_to_run([case.mbuild, "accel", "build-pack", "--root", case.root, "--progress", "plain",
                       "oci-layout://%s:latest" % plain], "no apt-get", status=1)


# The package of the source stands for gcc's by a configure script that remembers what it was asked, and by "compilers"
# that tell by which path they are executed; the native one is of a release that names packages as Debian 12 does.
SOURCE_APT_CACHE = """#!/bin/sh
case "$*" in
  "depends gcc") printf 'gcc\\n  Depends: gcc-12\\n' ;;
  "policy gcc-12" | "policy gcc-12-source" | "policy binutils-"* | "policy cpp-12:arm64") printf '  Candidate: 2+fix1\\n' ;;
  "policy gcc-12-aarch64-linux-gnu") printf '  Candidate: 2cross1\\n' ;;
esac
"""
SOURCE_APT_GET = """#!/bin/sh
set -e
directory=usr/lib/gcc/aarch64-linux-gnu/12
native() {
  mkdir -p $1/$directory
  cp /usr/share/foreign $1/$directory/cc1
  printf "../src/configure -v --with-pkgversion='Debian 2+fix1' --enable-languages=c,ada --enable-bootstrap --build=aarch64-linux-gnu --host=aarch64-linux-gnu --target=aarch64-linux-gnu\\0" >> $1/$directory/cc1
}
case " $* " in
  *" install "*gcc-12-source=2+fix1" "*)
    mkdir -p /usr/src/gcc-12/src
    printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@" > asked\\n' > /usr/src/gcc-12/src/configure
    chmod 755 /usr/src/gcc-12/src/configure
    printf '#!/bin/sh\\necho x86_64-linux-gnu\\n' > /usr/bin/gcc-12
    ln -s gcc-12 /usr/bin/strip
    chmod 755 /usr/bin/gcc-12
    cp /usr/share/make /usr/bin/make
    ;;
  *" install "*)
    native ""
    printf 'Package: cpp-12\\nStatus: install ok installed\\nMaintainer: x\\nArchitecture: arm64\\nVersion: 2+fix1\\nDescription: x\\n\\n' >> /var/lib/dpkg/status
    (cd / && md5sum $directory/cc1) > /var/lib/dpkg/info/cpp-12.md5sums
    ;;
  *" download cpp-12:arm64=2+fix1 "*)
    native d
    mkdir d/DEBIAN
    printf 'Package: x\\nVersion: 2\\nArchitecture: arm64\\nMaintainer: x\\nDescription: x\\n' > d/DEBIAN/control
    dpkg-deb -b d x.deb
    rm -r d
    ;;
esac
"""
SOURCE_MAKE = """#!/bin/sh
set -e
case "$*" in
  "-f debian/rules patch") [ "$DEB_GCC_TARGET" = arm64 ]; touch patched ;;
  *" all-gcc TARGET-gcc=cc1 cc1plus lto1")
    [ -e ../patched ]
    mkdir -p gcc lto-plugin/.libs
    for one in gcc/cc1 gcc/cc1plus gcc/lto1 lto-plugin/.libs/liblto_plugin.so; do cp /usr/bin/readlink $one; done
    cat asked >> gcc/cc1
    ;;
esac
"""


def base_with_source(case):
    if FOREIGN != "linux/arm64":
        raise Skip("there are packs for linux/arm64 only")
    case.write("apt-cache", SOURCE_APT_CACHE, 0o755)
    case.write("apt-get", SOURCE_APT_GET, 0o755)
    case.write("make", SOURCE_MAKE, 0o755)
    debian(case, "COPY apt-cache apt-get /usr/bin/", "COPY make /usr/share/", "COPY --from=foreign /usr/bin/readlink /usr/share/foreign")
    text = open(os.path.join(case.context, "Dockerfile")).read()
    case.dockerfile("FROM --platform=%s debian AS foreign" % FOREIGN, text)
    base = os.path.join(case.dir, "base")
    case.check(*case.command("--build-context", "debian=oci-layout://%s:debian" % case.bases, "-t", "base", "-o",
                             "type=oci,tar=false,dest=" + base, platforms=BOTH))
    return base


COMPILE = "RUN apt-get install cpp-12; /usr/lib/gcc/aarch64-linux-gnu/12/cc1 /proc/self/exe > /exe"


def test_a_pack_from_source(case):
    base = base_with_source(case)
    # A build does not compile one by itself; it says what would.
    case.dockerfile("FROM base", COMPILE)
    before = build_on(case, base, "--accel", "compilers")
    expect_equal(before.file("exe", FOREIGN), "/usr/lib/gcc/aarch64-linux-gnu/12/cc1")
    expect_equal(before.text.count("`mbuild accel build-pack "), 1)
    expect("gcc-12 2+fix1;" in before.text, before.text)
    case.fails_to_run([case.mbuild, "accel", "build-pack", "--root", case.root, "--progress", "plain", "--from", "packages",
                       "oci-layout://%s:latest" % base], "as a cross compiler 2cross1, and as source 2+fix1", status=1)
    layout = os.path.join(case.dir, "packs")
    text = accel(case, "build-pack", "oci-layout://%s:latest" % base, "--progress", "plain", "-o",
                 "type=oci,tar=false,dest=" + layout)
    expect(text.index("compiled from the package gcc-12-source") < text.index("Configuring gcc 2+fix1"), text)
    tag = text.split()[-1]
    packs = oci.Layout(layout)
    with open(os.path.join(layout, "index.json")) as f:
        top, = json.load(f)["manifests"]
    manifest = json.loads(packs.blob(top["digest"]))
    said = {key.rpartition(".")[2]: value for key, value in manifest["annotations"].items()}
    expect_equal(said["packages"].split("\n")[:3], [name + "-12-aarch64-linux-gnu 2+fix1cross0" for name in ("cpp", "g++", "gcc")])
    expect_equal([line.split()[1] for line in said["replaces"].split("\n")], ["usr/lib/gcc/aarch64-linux-gnu/12/cc1"])
    cc1 = packs.tree(manifest)["usr/lib/gcc-cross/aarch64-linux-gnu/12/cc1"]
    expect(cc1.data.endswith("\n".join(
        ("-v", "--with-pkgversion=Debian 2+fix1", "--enable-languages=c,ada", "--build=x86_64-linux-gnu",
         "--host=x86_64-linux-gnu", "--target=aarch64-linux-gnu", "--with-sysroot=/",
         "--includedir=/usr/aarch64-linux-gnu/include", "--disable-bootstrap", "")).encode()), "configured otherwise")
    made = build_on(case, base, "--accel-packs", layout, "--network", "none")
    expect("compilers of the pack " + tag in made.text, made.text)
    case.dockerfile("FROM base", "RUN true", COMPILE)
    made = build_on(case, base, "--accel-packs", layout, "--network", "none")
    expect(made.file("exe", FOREIGN).startswith("/proc/driver/p/"), made.file("exe", FOREIGN))


def test_what_a_build_makes_by_itself_is_listed_and_removed(case):
    base = base_image(case)
    case.dockerfile("FROM base", ASSEMBLE)
    expect(is_native(build_on(case, base, "--accel", "compilers")), "no pack was made")
    one, = json.loads(accel(case, "ls", "--format", "json"))
    expect_equal((one["compilers"], one["kept"]), ("binutils-aarch64-linux-gnu 2", False))
    expect("binutils-aarch64-linux-gnu 2 (made by a build)" in accel(case, "ls"), "the table does not say who made it")
    case.settle()
    accel(case, "rm", one["name"])
    expect_equal(json.loads(accel(case, "ls", "--format", "json")), [])
