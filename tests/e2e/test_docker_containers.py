"""What who knows docker types of containers and images, and what comes of it."""
import io
import json
import os
import stat
import subprocess
import tarfile
import time

from support import HANG, HOST, expect, expect_equal, quick
from test_containers import image, mbuild, rows, start, until
from test_images import keep, listed


def names(case, *flags):
    return sorted(mbuild(case, "ps", "-a", "--format", "{{.Names}}", *flags).split())


def one(case, name, template):
    return mbuild(case, "inspect", "-f", template, name)


def volumes(case, *flags):
    return case.check(case.mbuild, "volume", "ls", "-q", *flags, "--root", case.root).split()


@quick
def test_labels_and_what_ps_shows(case):
    case.dockerfile("FROM busybox", "LABEL from=image both=image", "EXPOSE 80")
    case.check(*case.command("-t", "app:1"))
    with open(case.dir + "/labels", "w") as f:
        f.write("# none\nfile=yes\nboth=file\n")
    with open(case.dir + "/env", "wb") as f:
        f.write(b"\xef\xbb\xbfFIRST=1\r\n")
    cid = case.dir + "/cid"
    words = ("--name", "one", "-l", "both=mine", "--label-file", case.dir + "/labels", "--cidfile", cid, "--env-file",
             case.dir + "/env", "--expose", "90/udp")
    done = case.run([case.mbuild, "run", "--root", case.root, *words, "app:1", "sh", "-c", "echo $FIRST; exit 3"])
    expect_equal((done.status, done.text.strip()), (3, "1"))
    with open(cid) as f:
        container = f.read()
    case.fails_to_run([case.mbuild, "run", "--root", case.root, "--cidfile", cid, "app:1", "true"],
                      "is there already", status=125)
    mbuild(case, "run", "--name", "two", image(case), "true")
    start(case, flags=("--name", "three", "-v", "data:/data", "--health-cmd", "true"))
    shown = json.loads(mbuild(case, "ps", "-a", "--format", "json", "--no-trunc", "-f", "name=^/one$"))
    expect_equal((shown["ID"], shown["State"], shown["Labels"]),
                 (container, "exited", "both=mine,file=yes,from=image"))
    expect_equal(mbuild(case, "ps", "-a", "--format", '{{.Label "both"}}', "-f", "id=" + container[:9]), "mine")
    header, row = mbuild(case, "ps", "-a", "-f", "name=one", "--format", r"table {{.Names}}\t{{.Image}}").split("\n")
    expect_equal((header.split(), row.split()), (["NAMES", "IMAGE"], ["one", "app:1"]))
    for wanted, filters in (
            (["one"], ("label=both=mine",)), (["one"], ("label=file", "label=from=image")), ([], ("label=both=image",)),
            (["one"], ("exited=3",)), (["one", "two"], ("status=exited",)), (["three"], ("status=running",)),
            (["one"], ("ancestor=app:1",)), (["three"], ("volume=data",)), (["three"], ("volume=/data",)),
            (["one"], ("before=two",)), (["three"], ("since=two",)), (["one"], ("expose=80",)),
            (["one"], ("expose=90/udp",)), (["one", "two"], ("health=none",)), (["one", "three"], ("name=one", "name=th")),
            (["one"], ("name=o", "exited=3")), ([], ("publish=80",)), (["one", "three", "two"], ("network=default",))):
        expect_equal(names(case, *[word for text in filters for word in ("-f", text)]), wanted, filters)
    expect_equal(mbuild(case, "ps", "-q", "-f", "status=exited").count("\n"), 1, "a status needs no -a")
    expect_equal(mbuild(case, "ps", "-n", "2", "--format", "{{.Names}}").split(), ["three", "two"])
    expect_equal(mbuild(case, "ps", "-l", "--format", "{{.Names}}"), "three")
    expect("virtual" in mbuild(case, "ps", "-s"), "sizes")
    for wrong in ("colour=red", "status=fast", "exited=x", "name", "before=nosuch"):
        case.fails_to_run([case.mbuild, "ps", "-f", wrong, "--root", case.root])
    case.fails_to_run([case.mbuild, "ps", "-a", "--format", "{{.Nmaes}}", "--root", case.root], "did you mean")


@quick
def test_what_inspect_says(case):
    case.dockerfile("FROM busybox", "ENV A=1", "WORKDIR /tmp", "EXPOSE 80", 'ENTRYPOINT ["sh", "-c"]', "CMD [\"true\"]",
                    "LABEL x=y")
    case.check(*case.command("-t", "app:1"))
    case.check(case.mbuild, "network", "create", "net", "--root", case.root)
    loop = "echo ready; while :; do sleep 0.1; done"
    mbuild(case, "run", "-d", "--name", "one", "-v", "data:/data:ro", "--network", "net", "-e", "B=2", "--stop-timeout",
           "3", "--stop-signal", "KILL", "app:1", loop)
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, "one"]))
    digest = listed(case)["app:1"]["ID"]
    for template, wanted in (
            ("{{.Name}} {{.Path}} {{len .Args}} {{.RestartCount}} {{.Platform}}", "/one sh 2 0 linux"),
            ("{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Paused}}", "running true 0 false"),
            ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
            ("{{json .Config.Cmd}} {{json .Config.Entrypoint}}", json.dumps([loop]) + ' ["sh","-c"]'),
            ("{{.Config.Image}} {{.Config.WorkingDir}} {{index .Config.Labels \"x\"}}", "app:1 /tmp y"),
            ("{{.Config.StopSignal}} {{.Config.StopTimeout}}", "KILL 3"), ("{{.Image}}", digest),
            ("{{.HostConfig.Binds}} {{.HostConfig.RestartPolicy.Name}}", "[data:/data:ro] no"),
            ("{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}", "volume data /data false"),
            ("{{range $port, $to := .NetworkSettings.Ports}}{{$port}} {{$to}}{{end}}", "80/tcp <no value>"),
            ('{{range .Config.Env}}{{if eq (index (split . "=") 0) "B"}}{{.}}{{end}}{{end}}', "B=2")):
        expect_equal(one(case, "one", template), wanted, template)
    address = one(case, "one", "{{.NetworkSettings.IPAddress}}")
    expect_equal(one(case, "one", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"), address)
    expect(address.count(".") == 3 and int(one(case, "one", "{{.State.Pid}}")) > 1)
    expect(one(case, "one", "{{.State.StartedAt}}").startswith("20"))
    source = one(case, "one", "{{(index .Mounts 0).Source}}")
    expect(os.path.isdir(source), source)
    expect_equal(one(case, "app:1", "{{.Id}} {{.RepoTags}} {{.Os}}/{{.Architecture}} {{.RootFS.Type}}"),
                 "%s [app:1] %s layers" % (digest, HOST if HOST.count("/") == 1 else HOST.rpartition("/")[0]))
    expect_equal(one(case, "net", "{{.Driver}}"), "bridge")
    expect_equal(one(case, "data", "{{.Mountpoint}}"), source)
    case.fails_to_run([case.mbuild, "inspect", "--type", "image", "one", "--root", case.root], "no such image: one", status=1)
    case.fails_to_run([case.mbuild, "inspect", "--type", "thing", "one", "--root", case.root], "invalid --type")


@quick
def test_what_a_container_may_be_told(case):
    case.dockerfile("FROM busybox", "RUN echo 'extra:x:77:' >> /etc/group && echo 'me:x:1000:1000::/:/bin/sh' >> /etc/passwd",
                    "USER me")
    case.check(*case.command("-t", "app:1"))

    def run(*words):
        return mbuild(case, "run", "--rm", *words)
    expect_equal(run("--group-add", "extra", "--group-add", "88", "app:1", "id", "-G").split(), ["1000", "77", "88"])
    expect_equal(run("--security-opt", "no-new-privileges", image(case), "grep", "NoNewPrivs", "/proc/self/status")[-1],
                 "1")
    text = run("--dns", "192.0.2.1", "--dns", "192.0.2.2", "--dns-search", "example.test", "--dns-option", "ndots:1",
               image(case), "cat", "/etc/resolv.conf")
    expect_equal([line for line in text.split("\n") if not line.startswith("#")],
                 ["nameserver 192.0.2.1", "nameserver 192.0.2.2", "search example.test", "options ndots:1"])
    said = case.run([case.mbuild, "run", "--rm", "--root", case.root, "--cpu-shares", "512", "--log-driver",
                     "json-file", "--ipc", "private", image(case), "echo", "ran"])
    expect(said.status == 0 and "--cpu-shares 512 has no effect" in said.text and "log-driver" not in said.text,
           said.text)
    for words, answer in ((("--privileged",), "never the host's"), (("--device", "/dev/fuse"), "no devices"),
                          (("--pid", "host"), "its own processes"), (("--sysctl", "a=b"), "settings of the kernel"),
                          (("--security-opt", "seccomp=unconfined"), "filter"), (("--link", "a"), "network create"),
                          (("--dns", "nowhere"), "address"), (("--stop-signal", "X"), "no signal"),
                          (("--stop-timeout", "1m"), "seconds"), (("--expose", "x"), "invalid --expose")):
        case.fails_to_run([case.mbuild, "run", "--rm", "--root", case.root, *words, image(case), "true"], answer,
                          status=125)
    expect_equal(run("--privileged=false", image(case), "echo", "ran"), "ran")


def test_several_are_stopped_at_once(case):
    deaf = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    all_ = ["one", "two", "three"]
    for name in all_:
        start(case, *deaf, flags=("--name", name, "--stop-timeout", "4"))
    for name in all_:
        until(lambda name=name: "ready" in mbuild(case, "logs", name), "ready")
    began = time.monotonic()
    expect_equal(mbuild(case, "stop", *all_).split(), all_)
    # One after the other would take three times the timeout.
    expect(time.monotonic() - began < 3 * 4, "they were stopped one after the other")
    expect_equal([row["State"] for row in rows(case, "-a")], ["exited"] * 3)
    result = case.run([case.mbuild, "stop", "nosuch", "one", "--root", case.root])
    expect(result.status == 1 and "no such container: nosuch" in result.text and "one" in result.text, result.text)


@quick
def test_stop_signal(case):
    start(case, "sh", "-c", "trap 'echo used; exit 5' USR1; echo ready; while :; do sleep 0.1; done",
          flags=("--name", "one", "--stop-signal", "USR1"))
    until(lambda: "ready" in mbuild(case, "logs", "one"), "ready")
    mbuild(case, "stop", "one")
    expect_equal(one(case, "one", "{{.State.ExitCode}}"), "5")


@quick
def test_times_of_a_log(case):
    mbuild(case, "run", "--name", "one", image(case), "sh", "-c", "echo a; sleep 1.2; echo b; sleep 1.2; echo c")
    lines = [line.split(" ", 1) for line in mbuild(case, "logs", "-t", "one").split("\n")]
    expect_equal([text for _, text in lines], ["a", "b", "c"])
    middle = lines[1][0]
    expect_equal(mbuild(case, "logs", "--since", middle, "one").split(), ["b", "c"])
    expect_equal(mbuild(case, "logs", "--until", middle, "one").split(), ["a", "b"])
    expect_equal(mbuild(case, "logs", "--since", middle, "--until", middle, "one"), "b")
    expect_equal(mbuild(case, "logs", "--since", "1h30m", "-n", "2", "one").split(), ["b", "c"])
    expect_equal(mbuild(case, "logs", "--until", "1h", "one"), "")
    expect_equal(mbuild(case, "logs", "--since", "1700000000", "--tail", "1", "one"), "c")
    case.fails_to_run([case.mbuild, "logs", "--since", "soon", "one", "--root", case.root], "invalid --since")


@quick
def test_volumes_without_names(case):
    case.dockerfile("FROM busybox", "RUN mkdir /data && echo image > /data/file && chmod 700 /data", "VOLUME /data")
    case.check(*case.command("-t", "app:1"))
    expect_equal(mbuild(case, "run", "--rm", "app:1", "cat", "/data/file"), "image")
    expect_equal(volumes(case), [], "it goes with --rm")
    mbuild(case, "run", "--name", "one", "app:1", "sh", "-c", "cat /data/file; echo mine > /data/file")
    (name,) = volumes(case)
    expect_equal(len(name), 64)
    expect_equal(one(case, "one", "{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}"), name + " /data")
    mbuild(case, "cp", "one:/data/file", case.dir + "/file")
    with open(case.dir + "/file") as f:
        expect_equal(f.read(), "mine\n")
    with open(case.dir + "/file", "w") as f:
        f.write("mine\nand yours\n")
    mbuild(case, "cp", case.dir + "/file", "one:/data")
    mbuild(case, "start", "-a", "one")
    expect_equal(mbuild(case, "logs", "one").split(), ["image", "mine", "and", "yours"])
    expect_equal(mbuild(case, "run", "--rm", "--volumes-from", "one:ro", image(case), "cat", "/data/file"), "mine")
    expect_equal(volumes(case), [name], "it is another container's")
    expect_equal(volumes(case, "-f", "dangling=true"), [])
    case.check(case.mbuild, "volume", "prune", "-f", "--root", case.root)
    mbuild(case, "rm", "one")
    expect_equal(volumes(case, "-f", "dangling=true"), [name], "it stays without -v")
    case.check(case.mbuild, "volume", "prune", "-f", "--root", case.root)
    mbuild(case, "run", "--name", "two", "-v", "/own", "-v", "named:/data", "app:1", "sh", "-c", "echo x > /own/file")
    expect_equal(len(volumes(case)), 2)
    mbuild(case, "rm", "-v", "two")
    expect_equal(volumes(case), ["named"])
    mbuild(case, "run", "--rm", "--mount", "type=volume,dst=/x", "--tmpfs", "/data", "app:1", "true")
    expect_equal(volumes(case), ["named"])
    failed = case.run([case.mbuild, "run", "--root", case.root, "app:1", "/nosuch"])
    expect_equal((failed.status, volumes(case)), (127, ["named"]))


@quick
def test_create_start_and_what_is_in_it(case):
    keep(case)
    container = mbuild(case, "create", "--name", "one", "app:1")
    expect_equal((len(container), one(case, "one", "{{.State.Status}}")), (64, "created"))
    expect_equal(names(case, "-f", "status=created"), ["one"])
    mbuild(case, "cp", "one:/made", case.dir + "/made")
    with open(case.dir + "/made") as f:
        expect(case.nonce in f.read())
    with open(case.dir + "/new", "w") as f:
        f.write("new\n")
    mbuild(case, "cp", case.dir + "/new", "one:/made")
    expect_equal(mbuild(case, "start", "-a", "one"), "new")
    expect_equal(mbuild(case, "diff", "one"), "C /made")
    mbuild(case, "rm", "one")
    case.fails_to_run([case.mbuild, "create", "--pull", "never", "--name", "two", "nosuch:1", "--root", case.root],
                      "has no image nosuch:1")
    expect_equal(names(case), [])
    expect_equal(case.check(case.mbuild, "create", "--name", "builder-7", "--use").split("\n")[-2:], ["builder-7", ""])


def test_export_has_nothing_of_volumes(case):
    keep(case)
    shared = case.new_directory("shared")
    open(os.path.join(shared, "mine"), "w").close()
    start(case, flags=("--name", "one", "-v", "data:/data", "-v", shared + ":/shared", "--tmpfs", "/scratch"))
    mbuild(case, "exec", "one", "sh", "-c", "touch /data/file /scratch/file /own")
    mbuild(case, "export", "-o", case.dir + "/one.tar", "one")
    with tarfile.open(case.dir + "/one.tar") as tar:
        names = tar.getnames()
    places = ("data", "shared", "scratch", "proc", "own")
    expect_equal([name for name in names if name.split("/")[0] in places and name != "proc"],
                 ["data", "own", "scratch", "shared"], "of what is mounted")
    mbuild(case, "cp", "one:/data", case.dir + "/back")
    expect_equal(os.listdir(case.dir + "/back"), ["file"], "cp has what is in a volume")


def test_export_and_import(case):
    keep(case)
    mbuild(case, "run", "--name", "one", "app:1", "sh", "-c", "echo more > /more; mkfifo /pipe; ln -s /none /dangling")
    mbuild(case, "export", "-o", case.dir + "/one.tar", "one")
    with tarfile.open(case.dir + "/one.tar") as tar:
        found = {member.name: member for member in tar}
        expect_equal(tar.extractfile("more").read(), b"more\n")
    expect(found["pipe"].isfifo() and found["dangling"].issym() and "bin/sh" in found, sorted(found))
    with open(case.dir + "/one.tar", "rb") as f:
        done = subprocess.run([case.mbuild, "import", "--root", case.root, "-c", 'CMD ["cat", "/more"]', "-m", "flat",
                               "-", "flat:1"], stdin=f, capture_output=True, text=True, timeout=HANG)
    expect_equal(done.returncode, 0, done.stderr)
    expect_equal(done.stdout.strip(), listed(case)["flat:1"]["ID"])
    expect_equal(mbuild(case, "run", "--rm", "flat:1"), "more")
    with open(case.dir + "/text", "w") as f:
        f.write("no archive\n")
    case.fails_to_run([case.mbuild, "import", case.dir + "/text", "--root", case.root], "no tar archive")


@quick
def test_copies_of_pipes_and_links(case):
    start(case, flags=("--name", "one"))
    source = case.new_directory("source")
    os.mkfifo(source + "/pipe")
    os.symlink("/nowhere", source + "/dangling")
    with open(source + "/file", "w") as f:
        f.write("text\n")
    os.symlink("file", source + "/link")
    mbuild(case, "cp", source, "one:/copied")
    expect_equal(mbuild(case, "exec", "one", "sh", "-c", "test -p /copied/pipe && readlink /copied/dangling"), "/nowhere")
    mbuild(case, "cp", "one:/copied", case.dir + "/back")
    expect(stat.S_ISFIFO(os.stat(case.dir + "/back/pipe").st_mode), "no pipe")
    expect_equal(os.readlink(case.dir + "/back/dangling"), "/nowhere")
    mbuild(case, "cp", "-L", "one:/copied/link", case.dir + "/followed")
    expect(not os.path.islink(case.dir + "/followed"))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.add(source + "/file", "from-tar")
    subprocess.run([case.mbuild, "cp", "--root", case.root, "-", "one:/tmp"], input=made.getvalue(), check=True,
                   timeout=HANG)
    back = subprocess.run([case.mbuild, "cp", "--root", case.root, "one:/tmp/from-tar", "-"], capture_output=True,
                          check=True, timeout=HANG).stdout
    with tarfile.open(fileobj=io.BytesIO(back)) as tar:
        expect_equal(tar.extractfile("from-tar").read(), b"text\n")


def test_several_images_in_one_archive(case):
    keep(case)
    case.dockerfile("FROM app:1", "LABEL second=yes")
    case.build("-t", "second:2", export=False)
    mbuild(case, "tag", "app:1", "other:3")
    archive = case.dir + "/all.tar"
    mbuild(case, "save", "-o", archive, "app:1", "second:2", "other:3")
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json"))
        manifest = json.load(tar.extractfile("manifest.json"))
        blobs = [member.name for member in tar if member.name.startswith("blobs/sha256/")]
    expect_equal(len(set(entry["digest"] for entry in index["manifests"])), 2)
    expect_equal([entry["RepoTags"] for entry in manifest], [["app:1", "other:3"], ["second:2"]])
    expect_equal(len(blobs), len(set(blobs)), "a blob is there twice")
    for what, text in (("layout", None), ("docker", manifest)):
        root = case.dir + "/" + what
        taken = archive
        if text:  # what docker save wrote before it had index.json
            taken = case.dir + "/docker.tar"
            with tarfile.open(archive) as old, tarfile.open(taken, "w") as new:
                for member in old:
                    if member.name != "index.json":
                        new.addfile(member, old.extractfile(member) if member.isfile() else None)
        expect_equal(mbuild_at(case, root, "load", "-i", taken).split("\n"),
                     ["Loaded image: " + name for name in ("app:1", "other:3", "second:2")])
        there = listed(case, root)
        expect_equal(sorted(there), ["app:1", "other:3", "second:2"])
        expect(there["app:1"]["ID"] == there["other:3"]["ID"] != there["second:2"]["ID"])
        label = mbuild_at(case, root, "image", "inspect", "-f", "{{.Config.Labels.second}}", "second:2")
        expect_equal(label, "yes")


def mbuild_at(case, root, *words):
    return case.check(case.mbuild, *words, "--root", root).strip()


@quick
def test_what_images_shows(case):
    keep(case)
    case.dockerfile("FROM app:1", "LABEL second=yes")
    case.build("-t", "example.test/second:2", export=False)
    header, *lines = mbuild(case, "images").split("\n")
    expect_equal(header.split()[:4], ["REPOSITORY", "TAG", "IMAGE", "ID"])
    expect_equal([line.split()[:2] for line in lines if "example" in line], [["example.test/second", "2"]])
    short = mbuild(case, "images", "-q", "app")
    whole = mbuild(case, "images", "-q", "--no-trunc", "app:1")
    expect_equal(whole, listed(case)["app:1"]["ID"])
    expect_equal("sha256:" + short, whole[:19])
    expect("sha256:" in mbuild(case, "images", "--digests"))

    def chosen(*filters):
        words = [word for text in filters for word in ("-f", text)]
        return sorted(mbuild(case, "images", "--format", "{{.Repository}}:{{.Tag}}", *words).split())
    both = ["app:1", "example.test/second:2"]
    expect_equal(chosen("reference=app*"), both[:1])
    expect_equal(chosen("reference=*/second"), both[1:])
    expect_equal(chosen("reference=app", "reference=*/*:2"), both)
    expect_equal(chosen("label=second=yes"), both[1:])
    expect_equal(chosen("dangling=true"), [])
    expect_equal(chosen("dangling=false"), both)
    case.fails_to_run([case.mbuild, "images", "-f", "danglin=true", "--root", case.root], "did you mean dangling")


@quick
def test_what_there_is_not_is_answered(case):
    for word in ("events", "pause", "update"):
        result = case.run([case.mbuild, word, "one"])
        expect(result.status == 2 and ("`mbuild" in result.text or "run it anew" in result.text), result.text)
