"""Measurements with the code of an earlier commit, beside those with this code."""

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: First argument of a file that measures with the code of any commit, which may have no such file.
MEASURE = "--measure"


def check_out(commit, folder):
    """Write the package of a commit to a folder."""
    files = ["git", "archive", commit, "sklearn_cae"]
    archive = subprocess.run(files, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


def in_code_of(folder, file, *arguments, **environment):
    """Run a file with the package in a folder, in a process of its own; return what it prints."""
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", file, MEASURE, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
