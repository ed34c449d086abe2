"""The command line, whose every step is a call of the public interface.

Imports public rooms, and `_storage` for atomic writes. Heavy modules are imported where they are
used, so that ``--help`` is fast.
"""

import argparse
import sys

from . import assign, demo, fit
from ._messages import notes_in_plain_words

__all__ = ["main"]

_STOPPED = "\nStopped. If you call the same command again, it goes on from what it has kept."


def main(arguments=None) -> None:
    """Run the command line; `arguments` replace those of the process."""
    options = _parse(arguments)
    try:
        with notes_in_plain_words():
            options.run(options)
    except KeyboardInterrupt:
        print(_STOPPED, file=sys.stderr)
        raise SystemExit(130) from None  # as shells report Ctrl-C


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="sklearn-cae", description="Find groups of similar images without labels."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (fit, assign, demo):
        command.add_to(commands)
    return parser.parse_args(arguments)
