"""Removing a store of mbuild: as an ordinary user its files belong to subordinate ids, too."""
import os
import shutil
import subprocess


def remove(path):
    """Removes a directory tree with files of subordinate ids and directories without permissions in it."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path) and os.geteuid() != 0:
        subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf", path],
                       stderr=subprocess.DEVNULL)
