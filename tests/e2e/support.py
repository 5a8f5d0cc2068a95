"""What the end-to-end tests are written with. A test is a function of one Case; it fails by an exception."""
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import time
import uuid

import oci

HOST = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]
FOREIGN = "linux/arm64" if HOST == "linux/amd64" else "linux/amd64"
BOTH = (HOST, FOREIGN)
MACHINE = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
HANG = 300  # seconds after which a command counts as hanging; no test depends on how long anything takes

# Variables of whoever runs the tests that would change what a build does or shows.
HOSTS_OWN = ("MBUILD_", "BUILDKIT_", "SOURCE_DATE", "GITHUB_ACTIONS", "GITLAB_CI")

# A RUN that leaves another text whenever it is executed: equal marks are one execution.
MARK = "RUN cat /proc/sys/kernel/random/uuid > "


class Skip(Exception):
    """The test can't say anything here."""


def rest_of_terminal(terminal):
    """What programs write to a terminal until the last has ended. Closes the descriptor of its other side."""
    text = b""
    try:
        while part := os.read(terminal, 1024):
            text += part
    except OSError:  # nobody has it open any more
        pass
    os.close(terminal)
    return text


class Failure(Exception):
    """An expectation was not met."""


def quick(function):
    """Marks a test of the short run."""
    function.quick = True
    return function


def expect(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what) or "expectation not met")


def expect_equal(found, wanted, what=""):
    expect(found == wanted, what, "\n  found:", found, "\n  wanted:", wanted)


def threads_below(pid):
    """What every thread of the process and of all that it started does, for the report of a hang."""
    def read(name):
        try:
            with open(name, errors="replace") as f:
                return f.read().strip()
        except OSError:  # it has ended, or is not ours to look at
            return ""
    parents = {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        fields = read("/proc/%s/stat" % other).rpartition(")")[2].split()
        if len(fields) > 1:
            parents.setdefault(int(fields[1]), []).append(int(other))
    lines, todo = [], [(pid, 0)]
    while todo:
        process, depth = todo.pop()
        todo += [(child, depth + 1) for child in parents.get(process, [])]
        tasks = "/proc/%d/task" % process
        for task in sorted(os.listdir(tasks)) if os.path.isdir(tasks) else []:
            about = [read("%s/%s/%s" % (tasks, task, name)) for name in ("comm", "wchan", "syscall")]
            state = re.search(r"State:\s*(\S)", read("%s/%s/status" % (tasks, task)))
            lines.append("%s%s %s %s" % ("  " * depth, task, state.group(1) if state else "?", " ".join(about)))
    return "\n".join(lines)


def output_of(process):
    """All that a program that was started prints until it ends; it has to end."""
    try:
        return process.communicate(timeout=HANG)[0]
    except subprocess.TimeoutExpired as hang:
        printed = (hang.output or b"").decode("utf-8", "replace")
        raise Failure("hangs:\n%s\nit has printed:\n%s" % (threads_below(process.pid), printed))


class Build:
    """A finished build: exit status, all that it printed, and the image that it wrote."""

    def __init__(self, status, text, output):
        self.status, self.text, self.output = status, text, output
        self._layout, self._trees = None, {}

    @property
    def layout(self):
        if self._layout is None:
            self._layout = oci.Layout(self.output)
        return self._layout

    def tree(self, platform_name=HOST):
        """{path: oci.File}"""
        if platform_name not in self._trees:
            self._trees[platform_name] = self.layout.tree(self.layout.images()[platform_name][1])
        return self._trees[platform_name]

    def file(self, path, platform_name=HOST):
        tree = self.tree(platform_name)
        expect(path in tree, path, "is not in the image of", platform_name)
        return tree[path].data.decode().strip()

    def digests(self):
        return {name: descriptor["digest"] for name, (descriptor, _, _) in self.layout.images().items()}

    def layers(self, platform_name=HOST):
        return [layer["digest"] for layer in self.layout.images()[platform_name][1]["layers"]]

    def cached_and_executed(self):
        """How many steps the plain display calls CACHED, and the instructions among those that it does not."""
        cached = set(re.findall(r"(?m)^#(\d+) CACHED", self.text))
        names = dict(re.findall(r"(?m)^#(\d+) (\[.*\] (?:RUN|COPY|ADD|WORKDIR) .*)$", self.text))
        return len(cached), [name for number, name in names.items() if number not in cached]


class Case:
    """A directory (`dir`), a build context in it (`context`) and a store (`root`) of one test."""

    def __init__(self, directory, mbuild, bases, top):
        self.dir, self.mbuild, self.bases, self.top = directory, mbuild, bases, top
        self.context = os.path.join(directory, "context")
        self.root = os.path.join(directory, "store")
        self.nonce = "n" + uuid.uuid4().hex
        self.processes, self._outputs, self._last = [], 0, ""
        self._at_end, self._directories = [], 0
        self.disabled = os.environ.get("E2E_DISABLE", "")  # a feature that no build of this test is to have
        os.mkdir(self.context)

    # ---- files

    def write(self, name, content, mode=0o644):
        path = os.path.join(self.context, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path

    def dockerfile(self, *lines):
        return self.write("Dockerfile", "\n".join(lines) + "\n")

    # ---- building

    def command(self, *arguments, platforms=(HOST,), context=None, root=None, output=None, bases=None, plain=True):
        command = [self.mbuild, "build", "--root", root or self.root, "--provenance=false", "--platform",
                   ",".join(platforms), "--build-context", "busybox=oci-layout://%s:busybox" % (bases or self.bases)]
        if plain:
            command += ["--progress", "plain"]
        if output:
            command += ["-o", "type=oci,dest=" + output]
        return command + list(arguments) + [context or self.context]

    def next_output(self):
        self._outputs += 1
        return os.path.join(self.dir, "image-%d.tar" % self._outputs)

    def build(self, *arguments, env=None, export=True, **options):
        """A build that has to work."""
        build = self.attempt(*arguments, env=env, export=export, **options)
        expect(build.status == 0, "the build failed with status", build.status)
        return build

    def attempt(self, *arguments, env=None, export=True, prefix=(), **options):
        output = self.next_output() if export else None
        return self.run(list(prefix) + self.command(*arguments, output=output, **options), env=env, output=output)

    def fails(self, *arguments, status=None, says=(), **options):
        """A build that has to fail, with all of the phrases in what it prints (in any case)."""
        build = self.attempt(*arguments, **options)
        expect(build.status != 0, "the build should have failed")
        expect(build.status > 0 and build.status < 128, "killed by a signal:", build.status)
        if status is not None:
            expect_equal(build.status, status, "exit status")
        for phrase in says:
            expect(phrase.lower() in build.text.lower(), "the message lacks", repr(phrase))
        return build

    def run(self, command, env=None, output=None, cwd=None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(HOSTS_OWN)}
        environment.update(env or {})
        if self.disabled:
            names = environment.get("MBUILD_TEST_DISABLE")
            environment["MBUILD_TEST_DISABLE"] = ",".join(filter(None, (names, self.disabled)))
        process = self._start(command, environment, cwd or self.dir)
        text = output_of(process)
        self._last = "$ %s\n%s" % (" ".join(command), text)
        return Build(process.returncode, text, output)

    def check(self, *command, **options):
        """Runs any program that has to succeed; its output."""
        result = self.run(list(command), **options)
        expect(result.status == 0, command[0], "failed with status", result.status)
        return result.text

    def fails_to_run(self, command, *says, status=2):
        """Runs a program that has to fail, with all of the phrases in what it prints."""
        result = self.run(list(command))
        expect_equal(result.status, status, "exit status of " + " ".join(command))
        for phrase in says:
            expect(phrase in result.text, "the message lacks", repr(phrase))
        return result

    def start(self, *arguments, env=None, **options):
        """A build in the background."""
        return self._start(self.command(*arguments, **options), dict(os.environ, **(env or {})), self.dir)

    def _start(self, command, environment, directory):
        process = subprocess.Popen(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, text=True,
                                   errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    # ---- what tests ask

    def needs(self, *programs):
        for program in programs:
            if not shutil.which(program):
                raise Skip("no " + program)

    def needs_root(self):
        if os.geteuid() != 0:
            raise Skip("only for root")

    def last_output(self):
        lines = self._last.splitlines()
        return "\n".join("    | " + line for line in lines[:1] + lines[1:][-40:])

    def work_directories(self):
        """Builds in progress in the store, as it stands on disk."""
        found = []
        maps = os.path.join(self.root, "fs")
        for name in os.listdir(maps) if os.path.isdir(maps) else []:
            work = os.path.join(maps, name, "work")
            found += [os.path.join(work, entry) for entry in os.listdir(work)] if os.path.isdir(work) else []
        return found

    def processes_named(self, text):
        """Processes with `text` in their arguments."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if text.encode() in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def settle(self):
        """Waits for the child that a build leaves behind. Until it ends, the index has its log and its shared memory
        on disk; the last who has the index open removes them."""
        for _ in range(HANG * 10):
            if not self.processes_named("internal-upkeep\0" + self.root):
                return
            time.sleep(0.1)

    def derived_base(self, name, *lines):
        """A layout whose only image was made of busybox by these instructions."""
        layout, context = os.path.join(self.dir, "base-" + name), os.path.join(self.dir, "context-" + name)
        os.mkdir(context)
        with open(os.path.join(context, "Dockerfile"), "w") as f:
            f.write("\n".join(("FROM busybox",) + lines) + "\n")
        self.check(*self.command("-o", "type=oci,tar=false,dest=" + layout, context=context))
        return layout

    def relabelled_base(self, name="busybox"):
        """A layout in which the foreign platform's image of `name` has the programs of the host platform."""
        path = os.path.join(self.dir, "relabelled")
        images = oci.Layout(self.bases).images(name)
        _, manifest, _ = images[HOST]
        _, _, config = images[FOREIGN]
        config["rootfs"] = images[HOST][2]["rootfs"]
        writer = oci.LayoutWriter(path)
        for layer in manifest["layers"]:
            writer.blob(oci.Layout(self.bases).blob(layer["digest"]), layer["mediaType"])
        manifest["config"] = writer.json(config, oci.CONFIG)
        os_name, architecture = FOREIGN.split("/")
        writer.name(name, [writer.json(manifest, oci.MANIFEST,
                                       platform={"os": os_name, "architecture": architecture})])
        writer.finish()
        return path

    def new_directory(self, name):
        self._directories += 1
        path = os.path.join(self.dir, "%s-%d" % (name, self._directories))
        os.mkdir(path)
        return path

    def at_end(self, action):
        """Has `action` called when the test has ended, the last one first."""
        self._at_end.append(action)

    def end(self):
        for action in reversed(self._at_end):
            action()
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
            process.stdout.close()


def labels(build, platform_name=HOST):
    return json.loads(json.dumps(build.layout.images()[platform_name][2]["config"].get("Labels") or {}))
