"""``sklearn-cae assign``: groups of images that come after the fit."""

from pathlib import Path

from ._messages import errors_in_a_sentence, refuse
from ._options import add_files_options, check_output
from ._results import KEYS, tell_failures, write_table


def add_to(commands):
    """Add this command to the command line."""
    parser = commands.add_parser(
        "assign",
        help="find the groups of images that come later",
        description="Read a folder of images as those of a model were read, and write the group "
        "of each.",
    )
    parser.add_argument("model", metavar="MODEL", help="model.safetensors of sklearn-cae fit")
    parser.add_argument("folder", metavar="FOLDER", help="folder of images, with its subfolders")
    add_files_options(parser)
    parser.add_argument("--output", default="later.csv", help="table to write (default: later.csv)")
    parser.set_defaults(run=run)


def run(options):
    """Read the images, assign them, and write the table."""
    with errors_in_a_sentence():
        output = _check_output(Path(options.output))
        clusterer, reading = _load(options.model)
        found = reading.read(
            options.folder,
            metadata=options.metadata,
            patient=options.patient,
            n_jobs=options.jobs,
            verbose=1,
        )
        groups = _assign(clusterer, found)
        write_table(output, groups)
        failed = output.with_name(f"{output.stem}_failures.csv")
        failed.unlink(missing_ok=True)
        if len(found.failures):
            write_table(failed, found.failures)
    tell_failures(found.failures, failed)
    _tell_sizes(clusterer, groups)
    print(f"Written: {output}")


def _check_output(output):
    if output.is_dir():
        refuse(f"--output must be a file, got the folder {output}. Add a name, such as later.csv.")
    check_output(output.parent)
    return output


def _load(path):
    from .._estimator import ContrastiveAutoencoderClusterer
    from ..images import load_reading
    from ..persistence import load

    reading, clusterer = load_reading(path), load(path)
    if not isinstance(clusterer, ContrastiveAutoencoderClusterer):
        refuse(
            f"MODEL must hold a ContrastiveAutoencoderClusterer, but {path} holds a "
            f"{type(clusterer).__name__}."
        )
    return clusterer, reading


def _assign(clusterer, found):
    from ..report import cluster_table

    return cluster_table(clusterer, found.data, found.metadata[KEYS])


def _tell_sizes(clusterer, groups):
    """Print the share of each group now and in the fit, by which a changed scanner shows."""
    print(f"Images: {len(groups)}, doubtful ones: {groups['doubtful'].sum()}.")
    print("group  share now  share in the fit")
    for group in range(clusterer.n_clusters_):
        now, before = (groups["group"] == group).mean(), (clusterer.labels_ == group).mean()
        print(f"{group:5}  {now:9.0%}  {before:16.0%}")
