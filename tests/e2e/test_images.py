"""The images of the store: names, archives, registries; and who may talk to a registry."""
import base64
import hashlib
import json
import os
import pty
import subprocess

from registry import PASSWORD, USER, Front, Registry, docker_config
from support import BOTH, FOREIGN, HANG, HOST, MACHINE, expect, expect_equal, quick, rest_of_terminal


def mbuild(case, *words, root=None, env=None):
    return case.check(case.mbuild, *words, "--root", root or case.root, env=env)


def listed(case, root=None):
    lines = mbuild(case, "images", "--format", "json", "--no-trunc", root=root).splitlines()
    return {image["Name"].rpartition("/")[2]: image for image in map(json.loads, lines)}


def keep(case, name="app:1", platforms=(HOST,)):
    case.dockerfile("FROM busybox", "RUN echo %s > /made && uname -m >> /made" % case.nonce, "ENV A=1",
                    'CMD ["cat", "/made"]')
    case.build("-t", name, export=False, platforms=platforms)


def printed(case, image, *flags, root=None):
    return case.check(case.mbuild, "run", "--root", root or case.root, "--rm", *flags, image).strip()


@quick
def test_names(case):
    keep(case)
    mbuild(case, "tag", "app:1", "other")
    images = listed(case)
    expect_equal(sorted(images), ["app:1", "other:latest"])
    expect_equal(images["app:1"]["ID"], images["other:latest"]["ID"])
    expect("other" in mbuild(case, "image", "ls"))
    mbuild(case, "rmi", "app:1")
    expect_equal(list(listed(case)), ["other:latest"])
    case.fails_to_run([case.mbuild, "tag", "app:1", "x", "--root", case.root], "the store has no image app:1")
    expect("/made" in mbuild(case, "image", "history", "other"))
    expect_equal(json.loads(mbuild(case, "image", "inspect", "other"))[0]["Config"]["Env"][-1], "A=1")
    mbuild(case, "image", "rm", "other")
    expect_equal(listed(case), {})


@quick
def test_archives(case):
    keep(case)
    other = case.dir + "/other"
    archive = case.dir + "/app.tar"
    mbuild(case, "save", "-o", archive, "app:1")
    expect("Loaded image: app:1" in mbuild(case, "load", "-i", archive, root=other))
    expect(case.nonce in printed(case, "app:1", root=other))
    piped = subprocess.run([case.mbuild, "save", "--root", case.root, "app:1"], capture_output=True, timeout=HANG)
    with open(archive, "rb") as f:
        expect(piped.stdout == f.read(), "the same bytes on standard output")
    subprocess.run([case.mbuild, "load", "--root", case.dir + "/third"], input=piped.stdout, check=True, timeout=HANG)
    expect_equal(listed(case, case.dir + "/third")["app:1"]["ID"], listed(case)["app:1"]["ID"])
    with open(archive, "wb") as f:
        f.write(b"nothing")
    case.fails_to_run([case.mbuild, "load", "-i", archive, "--root", other], "ERROR")


def test_archive_of_several_platforms(case):
    keep(case, platforms=BOTH)
    archive = case.dir + "/app.tar"
    mbuild(case, "save", "-o", archive, "app:1")
    mbuild(case, "load", "-i", archive, root=case.dir + "/other")
    for platform in BOTH:
        expect(MACHINE[platform] in printed(case, "app:1", "--platform", platform, root=case.dir + "/other"))


def test_attestations_are_saved_with_the_image(case):
    made, layout = case.dir + "/made", case.dir + "/layout"
    case.dockerfile("FROM busybox", "RUN echo x > /x")
    case.check(*case.command("-o", "type=oci,tar=false,dest=" + made, "-t", "app:1", platforms=BOTH))

    def blob(content):
        digest = hashlib.sha256(content).hexdigest()
        with open("%s/blobs/sha256/%s" % (made, digest), "wb") as f:
            f.write(content)
        return {"digest": "sha256:" + digest, "size": len(content)}
    with open(made + "/index.json") as f:
        top = json.load(f)
    with open("%s/blobs/%s" % (made, top["manifests"][0]["digest"].replace(":", "/"))) as f:
        index = json.load(f)
    config = dict(blob(b"{}"), mediaType="application/vnd.oci.image.config.v1+json")
    says = dict(blob(b'{"says": "something"}'), mediaType="application/vnd.in-toto+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "config": config, "layers": [says]}).encode())
    index["manifests"].append(dict(
        manifest, mediaType="application/vnd.oci.image.manifest.v1+json",
        platform={"os": "unknown", "architecture": "unknown"},
        annotations={"vnd.docker.reference.type": "attestation-manifest",
                     "vnd.docker.reference.digest": index["manifests"][0]["digest"]}))
    top["manifests"][0].update(blob(json.dumps(index).encode()))
    with open(made + "/index.json", "w") as f:
        json.dump(top, f)
    case.check(case.mbuild, "imagetools", "create", "-t", "oci-layout://%s:app" % layout, "oci-layout://" + made)
    case.check("tar", "-C", layout, "-cf", layout + ".tar", ".")
    mbuild(case, "load", "-i", layout + ".tar")
    name = list(listed(case))[0]
    index = json.loads(mbuild(case, "imagetools", "inspect", "--raw", name))
    expect_equal(len(index["manifests"]), 3)
    archive = case.dir + "/app.tar"
    mbuild(case, "save", "-o", archive, name)
    mbuild(case, "load", "-i", archive, root=case.dir + "/other")
    expect_equal(listed(case, case.dir + "/other")[name]["ID"], listed(case)[name]["ID"])
    expect_equal(json.loads(mbuild(case, "imagetools", "inspect", "--raw", name, root=case.dir + "/other")), index)
    mbuild(case, "save", "-o", archive, "--platform", HOST, name)
    mbuild(case, "load", "-i", archive, root=case.dir + "/third")
    expect("manifests" not in mbuild(case, "imagetools", "inspect", "--raw", list(listed(case, case.dir + "/third"))[0],
                                     root=case.dir + "/third"), "an index of one image")


def test_registry(case):
    server = Registry(case)
    keep(case, platforms=BOTH)
    name = server.host + "/team/app:1"
    mbuild(case, "tag", "app:1", name)
    mbuild(case, "push", name)
    one, all_ = case.dir + "/one", case.dir + "/all"
    mbuild(case, "pull", "--platform", FOREIGN, name, root=one)
    expect_equal(listed(case, one)["app:1"]["Platforms"], FOREIGN)
    mbuild(case, "pull", "--all-platforms", name, root=all_)
    expect_equal(sorted(listed(case, all_)["app:1"]["Platforms"].split(",")), sorted(BOTH))
    expect_equal(listed(case, all_)["app:1"]["ID"], listed(case)["app:1"]["ID"])
    for platform in BOTH:
        expect(MACHINE[platform] in printed(case, name, "--platform", platform, root=all_))
    expect(case.nonce in printed(case, name, root=case.dir + "/none"))
    case.fails_to_run([case.mbuild, "pull", server.host + "/team/none", "--root", one], "not found", status=3)
    case.fails_to_run([case.mbuild, "push", "nothing:1", "--root", one], "the store has no image nothing:1")


def test_image_that_run_fetched_is_kept(case):
    server = Registry(case)
    keep(case)
    name = server.host + "/team/app:1"
    mbuild(case, "tag", "app:1", name)
    mbuild(case, "push", name)
    front = Front(server)
    behind, other = front.host + "/team/app:1", case.dir + "/other"
    expect(case.nonce in printed(case, behind, root=other))
    expect(front.take(), "the registry was asked")
    expect(case.nonce in printed(case, behind, root=other))
    expect_equal(front.take(), [], "nobody asks again")
    expect_equal(list(listed(case, other)), ["app:1"])
    expect(case.nonce in printed(case, behind, "--pull", "always", root=other))
    expect(front.take(), "unless it is told to")


@quick
def test_kept_names_where_references_are_taken(case):
    layout = case.dir + "/merged"
    for platform in BOTH:
        keep(case, "app:" + MACHINE[platform], platforms=(platform,))
    expect("ok" in mbuild(case, "verify", "app:" + MACHINE[HOST]))
    shown = json.loads(mbuild(case, "imagetools", "inspect", "--raw", "app:" + MACHINE[HOST]))
    expect_equal(len(shown["layers"]), 2)
    mbuild(case, "merge", "-t", "oci-layout://%s:app" % layout, *("app:" + MACHINE[platform] for platform in BOTH))
    expect_equal(mbuild(case, "verify", "oci-layout:%s:app" % layout).count(": ok"), 2)
    case.fails_to_run([case.mbuild, "verify", "--root", case.root, "localhost:1/none"], "ERROR", status=3)
    created = "oci-layout:%s/created:app" % case.dir
    mbuild(case, "imagetools", "create", "-t", created.replace("layout:", "layout://"),
           *("app:" + MACHINE[platform] for platform in BOTH))
    expect_equal(mbuild(case, "verify", created).count(": ok"), 2)


def config_of(env):
    with open(env["DOCKER_CONFIG"] + "/config.json") as f:
        return json.load(f)


def log_in(case, server, env, *flags, password=PASSWORD):
    return subprocess.run([case.mbuild, "login", "-u", USER, *flags, server.host], input=password + "\n", text=True,
                          capture_output=True, timeout=HANG, env={**os.environ, **env})


def test_login(case):
    server = Registry(case, password=True)
    env = docker_config(case, {"auths": {"other.example": {"auth": "eDp5"}}, "psFormat": "x"})
    expect_equal(log_in(case, server, env, "--password-stdin", password="wrong").returncode, 3)
    expect_equal(log_in(case, server, env, "--password-stdin").returncode, 0)
    config = config_of(env)
    expect_equal(base64.b64decode(config["auths"][server.host]["auth"]).decode(), USER + ":" + PASSWORD)
    expect_equal((config["psFormat"], config["auths"]["other.example"]), ("x", {"auth": "eDp5"}))
    keep(case)
    name = server.host + "/team/app:1"
    mbuild(case, "tag", "app:1", name)
    mbuild(case, "push", name, env=env)
    case.check(case.mbuild, "logout", server.host, env=env)
    expect(server.host not in config_of(env)["auths"])
    expect(case.run([case.mbuild, "push", name, "--root", case.root], env=env).status in (0, 3))
    warned = log_in(case, server, env, "-p", PASSWORD)
    expect("others on this machine can see" in warned.stderr, warned.stderr)


def test_login_asks_without_showing(case):
    server = Registry(case, password=True)
    env = docker_config(case, {})
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(case.mbuild, [case.mbuild, "login", "-u", USER, server.host], {**os.environ, **env})
    text = b""
    while b"Password:" not in text:
        text += os.read(terminal, 1024)
    # What is typed before the terminal is silent would be thrown away.
    import termios
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.write(terminal, PASSWORD.encode() + b"\n")
    text += rest_of_terminal(terminal)
    expect_equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    expect(PASSWORD.encode() not in text and b"Login Succeeded" in text, text)


def test_login_by_a_helper(case):
    server = Registry(case, password=True)
    directory, kept = case.new_directory("bin"), case.dir + "/kept"
    with open(directory + "/docker-credential-test", "w") as f:
        f.write("#!/bin/sh\necho $1 >> %s\ncat >> %s\n" % (kept, kept))
    os.chmod(directory + "/docker-credential-test", 0o755)
    env = {**docker_config(case, {"credsStore": "test"}), "PATH": directory + ":" + os.environ["PATH"]}
    expect_equal(log_in(case, server, env, "--password-stdin").returncode, 0)
    with open(kept) as f:
        action, entry = f.read().split("\n", 1)
    expect_equal((action, json.loads(entry)), ("store", {"ServerURL": server.host, "Username": USER, "Secret": PASSWORD}))
    expect_equal(config_of(env)["auths"], {server.host: {}})
    case.check(case.mbuild, "logout", server.host, env=env)
    expect_equal(config_of(env)["auths"], {})
    missing = docker_config(case, {"credsStore": "missing"})
    expect("docker-credential-missing is not installed" in log_in(case, server, missing, "--password-stdin").stderr)
