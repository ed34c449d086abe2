"""Code that a fresh Python runs."""

import subprocess
import sys


def run_fresh(code, *arguments):
    """Run code in a process of its own; return what it prints, or fail with its error."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
