"""The same Dockerfile gives the same file system as buildah: paths, types, modes, owners, contents, links."""
import os

import oci
from support import HOST, expect

# What buildah leaves behind of its own mounts.
NOT_OURS = ("etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv", "run/secrets", "dev/", "proc/", "sys/")

DOCKERFILES = {
    "copy": """
FROM localhost/busybox
COPY tree /tree/
COPY --chown=1000:50 tree/sub /owned/
COPY --chown=app:staff one /named
COPY --chmod=0640 one /srv/mode
COPY one two /several/
COPY tree/*.txt /globbed/
ADD archive.tar /unpacked/
ADD one /added
""",
    "run": """
FROM localhost/busybox
RUN mkdir -p /a/b/c && echo x > /a/b/c/f && ln -s b/c /a/soft && echo y > /one && chmod 4755 /one && ln /one /two
RUN chown -R app:app /a/b && rm /bin/wget && rm -r /srv && mkdir -m 0711 /srv && touch /srv/new
RUN mv /a/b /moved && mkfifo /fifo && rm -rf /home/app && touch /home/app
RUN echo "$PATH" > /path && id -u > /id && umask > /umask && pwd > /pwd
""",
    "settings": """
FROM localhost/busybox AS first
ARG WHO=nobody
ENV GREETING="hello $WHO"
WORKDIR /made/by/workdir
RUN echo "$GREETING" > greeting
FROM first
USER app
RUN id -u > /home/app/id && echo ~ > /home/app/home
USER root
RUN ["/bin/sh", "-c", "echo exec form > /exec"]
COPY --from=first /made /copied
""",
}


def context(case):
    case.write("one", "1\n")
    case.write("two", "2\n", 0o755)
    case.write("tree/a.txt", "a\n", 0o600)
    case.write("tree/b.txt", "b\n")
    case.write("tree/sub/deep/file", "deep\n", 0o750)
    os.symlink("a.txt", os.path.join(case.context, "tree", "link"))
    os.symlink("/etc/passwd", os.path.join(case.context, "tree", "absolute"))
    os.chmod(os.path.join(case.context, "tree", "sub"), 0o1777)
    for directory, names, _ in os.walk(case.context):
        for name in names:
            if name != "sub":
                os.chmod(os.path.join(directory, name), 0o755)
    case.check("tar", "--owner=12", "--group=34", "-cf", "archive.tar", "tree", cwd=case.context)


def built_by_buildah(case, layout):
    storage = ["buildah", "--storage-driver", "vfs", "--root", case.dir + "/b", "--runroot", case.dir + "/r"]
    # By a short name, because buildah makes an image name of the path, for which capital letters won't do.
    os.symlink(case.bases, os.path.join(case.dir, "bases"))
    identity = case.check(*storage, "pull", "--quiet", "oci:bases:busybox").split()[-1]
    case.check(*storage, "tag", identity, "localhost/busybox")
    case.check(*storage, "build", "--isolation", "chroot", "--layers", "--pull-never", "-t", "localhost/out",
               case.context)
    case.check(*storage, "push", "localhost/out", "oci:%s:out" % layout)
    built = oci.Layout(layout)
    return built.tree(next(built.manifests())[1])


def compare(case, name):
    case.needs("buildah")
    context(case)
    case.write("Dockerfile", DOCKERFILES[name].lstrip())
    theirs = built_by_buildah(case, os.path.join(case.dir, "theirs"))
    ours = case.build("--build-context", "localhost/busybox=oci-layout://%s:busybox" % case.bases).tree(HOST)
    differences = []
    for path in sorted(set(ours) | set(theirs)):
        if path.startswith(NOT_OURS):
            continue
        us, them = ours.get(path), theirs.get(path)
        if (us and us.facts()) != (them and them.facts()):
            differences.append("    %s: mbuild %s, buildah %s" % (path, us and us.facts(), them and them.facts()))
    expect(not differences, "the file systems differ:\n" + "\n".join(differences[:20]))


def test_copy(case):
    compare(case, "copy")


def test_run(case):
    compare(case, "run")


def test_settings(case):
    compare(case, "settings")
