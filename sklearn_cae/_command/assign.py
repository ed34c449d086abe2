"""``sklearn-cae assign``: groups of images that come after the fit."""

from pathlib import Path

from ._messages import errors_in_a_sentence, refuse
from ._options import add_files_options, check_output
from ._results import patients_of, tell_failures, write_table


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
    """Read the images, assign them, compare them with those of the fit, and write the table."""
    with errors_in_a_sentence():
        output = _check_output(Path(options.output))
        new = _assign(options)
        write_table(output, new.table)
        failed = output.with_name(f"{output.stem}_failures.csv")
        failed.unlink(missing_ok=True)
        if len(new.failures):
            write_table(failed, new.failures)
    tell_failures(new.failures, failed)
    _tell_drift(new)
    print(f"Written: {output}")


def _check_output(output):
    if output.is_dir():
        refuse(f"--output must be a file, got the folder {output}. Add a name, such as later.csv.")
    check_output(output.parent)
    return output


def _assign(options):
    from ..new_images import assign_files

    try:
        return assign_files(
            options.model,
            options.folder,
            metadata=options.metadata,
            patient=options.patient,
            n_jobs=options.jobs,
            verbose=1,
        )
    except TypeError as error:  # a file of another estimator
        refuse(str(error))


def _tell_drift(new):
    """Print how the images differ from those of the fit, by which a changed scanner shows."""
    from ..new_images import drift_report

    print(f"Images: {len(new.table)}, doubtful ones: {new.table['doubtful'].sum()}.")
    if "unusual" not in new.table:
        print("The model was made by an older version, and cannot tell unusual images.")
        return
    print(drift_report(new.clusterer, new.data, groups=patients_of(new), random_state=0))
    unusual = new.table.loc[new.table["unusual"], "file"]
    if len(unusual):
        print(f"Unusual images, such as {unusual.iloc[0]}: {len(unusual)}. Look at them.")
