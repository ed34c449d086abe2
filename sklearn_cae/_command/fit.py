"""``sklearn-cae fit``: read a folder of images, look at them, find groups, and report."""

import random
import time
import warnings
from pathlib import Path

from ._messages import errors_in_a_sentence, refuse
from ._options import (
    add_files_options,
    add_fit_options,
    check_output,
    find_images,
    frames,
    positive,
)
from ._results import (
    prepare,
    save_pictures,
    tell_end,
    tell_failures,
    write_check,
    write_results,
    write_scores,
    write_table,
)

#: If there are more files than this, the first look comes before all of them are read.
_MANY = 1000
#: The first look: number of files, largest side of an image, and epochs.
_PART, _SIDE = 256, 32
_FEW_EPOCHS = {"warm_up_epochs": 30, "refinement_epochs": 10, "conditioning_epochs": 5}


def add_to(commands):
    """Add this command to the command line."""
    parser = commands.add_parser(
        "fit",
        help="find groups in a folder of images",
        description="Read a folder of DICOM, NIfTI, TIFF, PNG or JPEG files, check the images, "
        "find groups of similar ones, and write a report. If it is stopped, the same command goes "
        "on where it was.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="folder of images, with its subfolders")
    add_files_options(parser)
    parser.add_argument("--output", default="results", help="folder to write to (default: results)")
    parser.add_argument(
        "--size",
        type=positive,
        default=64,
        help="side of the images in pixels (default: 64); larger images show finer details, and "
        "take longer",
    )
    parser.add_argument(
        "--window",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="intensities of DICOM and NIfTI that become black and white, such as -1000 400 "
        "Hounsfield units (default: those that the files name)",
    )
    parser.add_argument(
        "--frames",
        type=frames,
        default="middle",
        help="slices of a file with several: middle (the default), all, or a number",
    )
    parser.add_argument(
        "--color",
        choices=["auto", "grey", "rgb"],
        default="auto",
        help="channels (default: auto, rgb if most images have colours)",
    )
    parser.add_argument(
        "--modality",
        help="kind of the images: fundus, microscopy, skin, slices (of CT and MRI), ultrasound or "
        "xray. It chooses which changes of an image groups should ignore (default: as xray)",
    )
    parser.add_argument(
        "--pseudonyms",
        action="store_true",
        help="name images by numbers in the report, not by their files, so that a reader does not "
        "learn the names",
    )
    add_fit_options(parser, epochs="recommended for the number of images")
    parser.set_defaults(run=run)


def run(options):
    """Read, check, fit and report."""
    output = Path(options.output)
    with errors_in_a_sentence():
        _check(options, output)
        files = find_images(options.folder)
        if len(files) > _MANY:
            _look_first(files, options, output)
        found = _read(options, output)
        _look_at_images(found, output)
        if len(files) <= _MANY:
            _look_first(files, options, output)
        clusterer, seconds = _fit(found, options, output)
    groups = write_results(clusterer, found, options, output)
    write_scores(clusterer, found, groups, options, output, seconds)
    tell_end(clusterer, groups, output)


def _check(options, output):
    """Fail before anything is read if an option is invalid, or no results could be written."""
    from .._recommended import recommended

    prepare()
    recommended(2, modality=options.modality)
    try:
        recommended(2, image_shape=(options.size, options.size))
    except ValueError as error:
        refuse(f"--size {options.size} cannot be used: {error}", error)
    if output.resolve().is_relative_to(Path(options.folder).resolve()):
        refuse(
            f"--output must be outside the folder of images, got {output}. Its pictures would be "
            "read as images the next time."
        )
    check_output(output)


def _read(options, output):
    from ..images import read_images

    print(f"Reading {options.folder} ...", flush=True)
    found = read_images(
        options.folder,
        size=options.size,
        frames=options.frames,
        window=options.window,
        color=options.color,
        metadata=options.metadata,
        patient=options.patient,
        n_jobs=options.jobs,
        cache=output / "cache",
        verbose=1,
    )
    write_table(output / "metadata.csv", found.metadata)
    write_table(output / "failures.csv", found.failures)
    (output / "unmatched.csv").unlink(missing_ok=True)
    if len(found.unmatched):
        write_table(output / "unmatched.csv", found.unmatched)
    print(f"{len(found.data)} images were read.")
    tell_failures(found.failures, output / "failures.csv")
    _check_found(found, options, output)
    return found


def _check_found(found, options, output):
    """End the command if there is nothing to train on, or if the table is of other images."""
    if len(found.data) < 2:
        refuse(f"{options.folder} must hold at least 2 images that can be read, got 1.")
    if sum(found.unmatched["where"] == "images") == len(found.data):
        refuse(
            f"--metadata must have rows of these images, but no row of {options.metadata} matches "
            f"one. Compare the names in {output / 'unmatched.csv'}, or leave out --metadata."
        )


def _look_at_images(found, output):
    """Tell what calls for care in the images, before the training."""
    from ..images import check_images

    check = check_images(found.data, found.metadata)
    print(f"\n{check}")
    write_check(check, found, output)


def _look_first(files, options, output):
    """Draw groups of a part of the images after a short training."""
    from ..images import read_images
    from ..plotting import PrototypeDisplay

    part = random.Random(options.seed).sample(files, min(_PART, len(files)))
    print(f"\nA first look, at {len(part)} of {len(files)} files ...", flush=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # for example, that rows of the table have no image
            X = read_images(
                part,
                size=min(options.size, _SIDE),
                window=options.window,
                color=options.color,
                metadata=options.metadata,  # so that a wrong table ends the command now
                patient=options.patient,
                n_jobs=options.jobs,
            ).data
            clusterer = _train(X, options, output, **_FEW_EPOCHS)
    except ValueError as error:  # for example, if no file of the part is an image
        print(f"There is no first look: {error}")
        return
    if clusterer.interrupted_:
        raise KeyboardInterrupt
    display = PrototypeDisplay.from_estimator(clusterer, X, random_state=options.seed)
    save_pictures({"first_look": display}, output)
    print(
        f"{output / 'first_look.png'} shows groups of {len(X)} images after a short training. "
        "The groups of all images will differ."
    )


def _fit(found, options, output):
    """Train on all images; return the clusterer and the seconds that it took."""
    print(f"\nTraining on {len(found.data)} images ...", flush=True)
    epochs = {} if options.epochs is None else dict.fromkeys(_FEW_EPOCHS, options.epochs)
    started = time.perf_counter()
    clusterer = _train(found.data, options, output, **epochs)
    return clusterer, time.perf_counter() - started


def _train(X, options, output, **changes):
    from .._estimator import ContrastiveAutoencoderClusterer
    from .._recommended import recommended

    if options.n_clusters is not None:
        changes["n_clusters"] = options.n_clusters
    clusterer = ContrastiveAutoencoderClusterer(
        **recommended(len(X), image_shape=X.shape[1:], modality=options.modality, **changes),
        checkpoint_dir=output / "checkpoints",
        random_state=options.seed,
        verbose=1,
    )
    return clusterer.fit(X)
