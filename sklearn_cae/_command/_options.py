"""Options that several commands have, and their checks."""

import argparse
import os
from pathlib import Path

from ._messages import refuse


def add_fit_options(parser, *, epochs):
    """Add the options of a training; `epochs` tells the default of --epochs."""
    parser.add_argument(
        "--n-clusters",
        type=number_or_way,
        help="a number, auto (the number of communities, recommended) or elbow (search of the "
        "paper)",
    )
    parser.add_argument("--epochs", type=positive, help=f"epochs per phase (default: {epochs})")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the random numbers (default: 0)"
    )


def add_files_options(parser):
    """Add the options of a reading that do not change the images."""
    parser.add_argument(
        "--metadata",
        metavar="TABLE",
        help="table, such as a CSV file, whose rows are joined by file name or patient",
    )
    parser.add_argument(
        "--patient", metavar="COLUMN", help="column of the table that names the patient"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=-1,
        help="processes that read files (default: -1, one per core)",
    )


def positive(text, or_else=""):
    """Convert the text of an option to a whole number from 1 on."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on{or_else}, got {text!r}")
    return int(text)


def number_or_way(text):
    """Convert the text of --n-clusters."""
    return text if text in ("elbow", "auto") else positive(text, ", elbow or auto")


def frames(text):
    """Convert the text of --frames."""
    return text if text in ("middle", "all") else positive(text, ", middle or all")


def check_output(folder):
    """Make the folder of the results; fail before training if nothing could be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(f"--output must be a writable folder: {error}", error)
    if not os.access(folder, os.W_OK):
        refuse(f"--output must be a writable folder, got {folder}")


def find_images(folder):
    """Return the files of a folder, without hidden ones."""
    return sorted(
        path for path in Path(folder).rglob("*") if path.is_file() and path.name[0] != "."
    )
