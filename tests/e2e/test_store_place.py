"""What an image holds does not depend on where the store is, nor on what its file system is mounted with."""
import os
import stat
import struct

from support import Skip, expect, expect_equal

EVERYBODY = 0xFFFFFFFF


def default_list(directory):
    """New files in it are open to the user 1, and closed to others."""
    entries = ((1, 7, EVERYBODY), (2, 7, 1), (4, 5, EVERYBODY), (16, 7, EVERYBODY), (32, 0, EVERYBODY))
    try:
        os.setxattr(directory, "system.posix_acl_default",
                    struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))
    except OSError:
        raise Skip("no access control lists here")


def digests(case, root, **options):
    """Of an image that has a bit of all: a base, a COPY, a WORKDIR, a RUN with files of two users, and a cache mount."""
    case.write("tree/file", "x", 0o640)
    case.dockerfile("FROM busybox", "COPY tree /copied", "WORKDIR /work", "RUN mkdir -p /data/sub && echo > /data/f && echo > /top",
                    "USER 1:1", "RUN --mount=type=cache,target=/c,uid=1,gid=1 mkdir /tmp/mine; echo > /tmp/mine/file; echo > /c/kept"
                    "; stat -c '%n %a %u:%g' / /copied /copied/* /work /data /data/* /top /tmp/mine /c /c/kept > /tmp/list")
    found = case.build("--reproducible", root=root, env={"SOURCE_DATE_EPOCH": "1000000000"}, **options)
    return found.file("tmp/list"), found.digests()


def test_below_a_setgid_directory(case):
    wanted = digests(case, case.root)
    place = case.new_directory("setgid")
    if os.geteuid() == 0:
        os.chown(place, 0, 33)
    os.chmod(place, 0o2775)
    expect_equal(digests(case, place + "/store"), wanted)


def test_below_a_directory_with_a_default_list(case):
    wanted = digests(case, case.root)
    place = case.new_directory("list")
    default_list(place)
    expect_equal(digests(case, place + "/store"), wanted)


def test_a_store_that_was_made_there_before(case):
    """Its directories have what they were handed down; they lose it."""
    wanted = digests(case, case.root)
    place = case.new_directory("list")
    os.makedirs(place + "/store")
    for directory in ("/store", "/store/locks"):
        os.makedirs(place + directory, exist_ok=True)
        default_list(place + directory)
        os.chmod(place + directory, 0o2775)
    expect_equal(digests(case, place + "/store"), wanted)


def test_with_any_umask(case):
    wanted = digests(case, case.root)
    for mask in ("0", "077", "0177"):
        found = case.dir + "/store-" + mask
        expect_equal(digests(case, found, prefix=["sh", "-c", "umask %s; exec \"$@\"" % mask, "sh"]), wanted, mask)


def test_on_a_file_system_mounted_with_restrictions(case):
    case.needs_root()
    case.needs("unshare", "mount")
    wanted = digests(case, case.root)
    place = case.new_directory("mounted")
    prefix = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=200m,nosuid,nodev,noexec,noatime none %s; exec \"$@\"" % place, "sh"]
    expect_equal(digests(case, place + "/store", prefix=prefix), wanted)


def test_where_directories_give_their_group(case):
    """Nothing could tell afterwards which group was meant."""
    case.needs_root()
    case.needs("unshare", "mount", "mkfs.ext4")
    disk, place = case.dir + "/disk", case.new_directory("mounted")
    with open(disk, "wb") as f:
        f.truncate(100 << 20)
    case.check("mkfs.ext4", "-q", disk)
    case.dockerfile("FROM busybox", "USER 1:1", "RUN touch /tmp/x")
    if case.run(["unshare", "-m", "mount", "-o", "loop", disk, place]).status:
        raise Skip("no loop devices here")
    case.root = place + "/store"
    found = case.attempt(prefix=["unshare", "-m", "sh", "-c", "mount -o loop,grpid %s %s; exec \"$@\"" % (disk, place), "sh"],
                         env={"MBUILD_TEST_DISABLE": "upkeep"})
    expect_equal(found.status, 5)
    expect("grpid" in found.text, "the message does not name the option")


def test_a_directory_gets_the_modes_of_the_image(case):
    """-o DIR below a directory that hands things down."""
    case.dockerfile("FROM scratch", "COPY --chmod=751 tree /tree")
    case.write("tree/sub/file", "x")
    place = case.new_directory("output")
    default_list(place)
    if os.geteuid() == 0:
        os.chown(place, 0, 33)
    os.chmod(place, 0o2775)
    case.build("-o", place + "/out", export=False)
    for name, mode in (("tree", 0o751), ("tree/sub", 0o751), ("tree/sub/file", 0o751)):
        status = os.lstat(os.path.join(place, "out", name))
        expect_equal((oct(stat.S_IMODE(status.st_mode)), status.st_gid), (oct(mode), os.getegid()), name)
        expect_equal([a for a in os.listxattr(os.path.join(place, "out", name)) if a.startswith("system.")], [], name)


def test_a_store_is_private(case):
    os.makedirs(case.root, 0o755)
    os.chmod(case.root, 0o755)
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,target=/c echo x > /c/x; echo y > /y")
    case.build(prefix=["sh", "-c", "umask 0; exec \"$@\"", "sh"])
    expect_equal(oct(stat.S_IMODE(os.stat(case.root).st_mode)), "0o700")
    found = []
    for directory in (case.root, case.root + "/locks", case.root + "/blobs/sha256"):
        paths = [os.path.join(directory, name) for name in os.listdir(directory)]
        found += [path for path in paths if os.path.isfile(path) and os.stat(path).st_mode & 0o77]
    expect_equal(found, [], "files that others may read")


def test_a_directory_of_somebody_else_is_no_store(case):
    case.needs_root()
    os.makedirs(case.root)
    os.chown(case.root, 1, 1)
    os.chmod(case.root, 0o777)
    case.dockerfile("FROM busybox")
    case.fails(status=4, says=["belongs to the user 1", "--root"])
    expect(not os.listdir(case.root), "it was written to")
