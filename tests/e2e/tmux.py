"""A terminal whose screen can be read: tmux, with a server of its own for each."""
import os
import re
import shlex
import subprocess
import tempfile
import time

from support import HANG, Failure

CONFIGURATION = """
set -g status off
set -g history-limit 100000
set -g default-terminal screen-256color
set -g escape-time 0
"""
# What would change the display, of whoever runs the tests.
LEFT_OUT = ("CI", "NO_COLOR", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKIT_PROGRESS", "BUILDKIT_COLORS")


class Terminal:
    """A command in a window; its status is printed below what it printed itself, as "[status 0]"."""

    def __init__(self, case, command, columns=80, rows=24, env=None):
        case.needs("tmux")
        directory = case.new_directory("tmux")
        self.short = tempfile.TemporaryDirectory(prefix="mbuild-tmux-")  # a socket has a short path
        self.socket = os.path.join(self.short.name, "s")
        with open(os.path.join(directory, "conf"), "w") as f:
            f.write(CONFIGURATION)
        words = ["env"] + [word for name in LEFT_OUT for word in ("-u", name)]
        words += ["%s=%s" % pair for pair in (env or {}).items()]
        script = "%s; echo \"[status $?]\"; exec cat" % shlex.join(words + list(command))
        case.at_end(self.end)
        self.tmux("-f", os.path.join(directory, "conf"), "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "-c", case.dir, script)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=True, timeout=HANG).stdout.decode()

    def screen(self, history=False):
        """The lines of the window, or of all that there ever was, without blank ones at the end."""
        text = self.tmux("capture-pane", "-p", *(("-S", "-") if history else ()))
        return [line.rstrip() for line in text.rstrip("\n").split("\n")]

    def steady(self):
        """The screen with its times as T."""
        return [re.sub(r"\b(\d+h )?(\d+m )?\d+(\.\d+)?[sm](?=( |$))", "T", line) for line in self.screen()]

    def wait_for(self, condition):
        """The first screen that satisfies the condition, or has the text."""
        wanted = condition if callable(condition) else lambda lines: any(condition in line for line in lines)
        for _ in range(HANG * 10):
            lines = self.screen()
            if wanted(lines):
                return lines
            time.sleep(0.1)
        raise Failure("the screen stays\n" + "\n".join("|" + line for line in lines))

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def end(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], stderr=subprocess.DEVNULL, timeout=HANG)
        self.short.cleanup()
