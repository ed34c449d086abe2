"""Files that ``sklearn-cae fit`` writes."""

import json
from pathlib import Path

from .._storage.files import write_whole
from .._utils.extras import import_extra

#: Columns that tell which image a row is, and columns that name single images or patients.
KEYS = ["file", "frame", "patient"]
_NAMES = ["file", "patient", "study", "series"]
_FILES = {
    "report.html": "groups, map, and the metadata that groups follow",
    "groups.csv": "a row per image: group, probability, margin, novelty, doubtful or unusual",
    "patients.csv": "a row per patient: share of each group, agreement of the images",
    "prototypes.png": "a row per group: prototype, typical and doubtful members, drawn images",
    "embedding.png": "map of all images",
    "reconstructions.png": "images, and what the network makes of them",
    "history.png": "losses of the training",
    "check.txt": "what the check before the training found, and what to do",
    "check.csv": "the images of each finding",
    "check.png": "examples of each finding",
    "first_look.png": "groups of a part of the images after a short training",
    "metadata.csv": "a row per image: what its file tells, and its row of the table",
    "failures.csv": "files that could not be read, with the reason",
    "unmatched.csv": "images without a row of the table, and rows without an image",
    "model.safetensors": "the model, and how its images were read",
    "scores.json": "numbers, options and versions",
    "cache": "images as they were read, for the next call of the same command",
    "checkpoints": "trainings, epoch by epoch, for the next call of the same command",
}


def prepare():
    """Raise if a package is missing without which no results can be written."""
    for module, purpose, extra in (
        ("PIL", "Images are read with", "files"),
        ("pandas", "Tables are written with", "files"),
        ("matplotlib", "Pictures are drawn with", "plot"),
        ("jinja2", "A report needs", "report"),
    ):
        import_extra(module, purpose, extra)
    draw_without_window()


def draw_without_window():
    """Let matplotlib write files on machines without a screen."""
    import_extra("matplotlib", "Pictures are drawn with", "plot").use("agg")


def write_table(path, table):
    """Write a DataFrame as CSV, whole or not at all."""
    write_whole(path, table.to_csv(index=False).encode())


def tell_failures(failures, path):
    """Print how many files could not be read, and why."""
    if len(failures):
        print(f"{len(failures)} files could not be read; {path} names them:")
        for reason, count in failures["reason"].value_counts().head(5).items():
            print(f"  {count} x {reason}")


def write_check(check, found, output):
    """Write the findings of a check as text, the images of each as a table, and examples."""
    from ..plotting import ImageCheckDisplay

    write_whole(output / "check.txt", f"{check}\n".encode())
    rows = check.to_frame()[["name", "severity", "rows"]].explode("rows").dropna()
    images = found.metadata[KEYS].iloc[rows["rows"]].reset_index(drop=True)
    images.insert(0, "finding", rows["name"].to_list())
    images.insert(1, "severity", rows["severity"].to_list())
    write_table(output / "check.csv", images)
    (output / "check.png").unlink(missing_ok=True)
    if len(images):
        save_pictures({"check": ImageCheckDisplay.from_check(check, found.data)}, output)


def write_results(clusterer, found, options, output):
    """Write the model, the table of groups, the report and pictures; return the table."""
    from ..images import Originals
    from ..persistence import save
    from ..report import cluster_report, cluster_table

    print("\nWriting the results ...", flush=True)
    save(clusterer, output / "model.safetensors", reading=found.reading)
    groups = cluster_table(clusterer, found.data, found.metadata[KEYS])
    write_table(output / "groups.csv", groups)
    patients = patients_of(found)
    _write_patients(clusterer, patients, options.seed, output)
    cluster_report(
        clusterer,
        found.data,
        metadata=_to_compare(found.metadata, options.patient),
        path=output / "report.html",
        groups=patients,
        images=Originals(found.metadata, options.folder, found.reading),
        names=None if options.pseudonyms else found.metadata["file"],
        title=f"Groups of images in {Path(options.folder).resolve().name}",
        random_state=options.seed,
    )
    _draw(clusterer, found.data, options.seed, output)
    return groups


def patients_of(found):
    """Return the patient of each image, or None if all are of one: files may name none."""
    return found.groups if len(set(found.groups)) > 1 else None


def _write_patients(clusterer, patients, seed, output):
    """Write a row per patient, and print whether images of a patient are in one group."""
    path = output / "patients.csv"
    path.unlink(missing_ok=True)
    if patients is None or len(set(patients)) == len(patients):
        return
    from ..metrics import patient_profile

    profile = patient_profile(clusterer.labels_, patients, random_state=seed)
    write_table(path, profile.table.reset_index())
    low, high = profile.agreement_interval
    print(
        f"{profile.n_patients} patients, {profile.n_several} of them with several images. Two "
        f"images of a patient are in one group with probability {profile.agreement:.2f} "
        f"({low:.2f} to {high:.2f}), those of different patients with "
        f"{profile.agreement_by_chance:.2f}."
    )


def _to_compare(metadata, patient):
    """Return the columns that groups may follow: no names, and not equal in all rows."""
    names = [*_NAMES, *([patient] if patient in metadata else [])]
    compared = metadata.drop(columns=names)
    return compared.loc[:, compared.nunique() > 1]


def _draw(clusterer, X, seed, output):
    from .. import plotting

    displays = {
        "prototypes": plotting.PrototypeDisplay.from_estimator(clusterer, X, random_state=seed),
        "embedding": plotting.EmbeddingDisplay.from_estimator(clusterer, X, random_state=seed),
        "reconstructions": plotting.ReconstructionDisplay.from_estimator(
            clusterer, X, random_state=seed
        ),
        "history": plotting.HistoryDisplay.from_estimator(clusterer),
    }
    save_pictures(displays, output)


def save_pictures(displays, output):
    """Save displays by name, without a window."""
    import matplotlib.pyplot as plt

    for name, display in displays.items():
        display.figure_.savefig(output / f"{name}.png", dpi=150)
        plt.close(display.figure_)


def write_scores(clusterer, found, groups, options, output, seconds):
    """Write numbers, options and versions of a fit as JSON."""
    scores = {
        "options": {name: value for name, value in vars(options).items() if name != "run"},
        "n_images": len(groups),
        "n_failures": len(found.failures),
        "n_clusters": clusterer.n_clusters_,
        "number_found": clusterer.search_["found"] if clusterer.search_ else None,
        "group_sizes": groups["group"].value_counts().sort_index().tolist(),
        "share_doubtful": round(float(groups["doubtful"].mean()), 4),
        "silhouette": round(clusterer.score(found.data), 4),
        "interrupted": clusterer.interrupted_,
        "fit_seconds": round(seconds, 1),
        "versions": clusterer.provenance_["versions"],
    }
    write_whole(output / "scores.json", (json.dumps(scores, indent=1) + "\n").encode())


def tell_end(clusterer, groups, output):
    """Print which file to open first and what to try next; write the list of files beside them."""
    written = {name: text for name, text in _FILES.items() if (output / name).exists()}
    width = max(map(len, written))
    listed = "\n".join(f"  {name.ljust(width)}  {text}" for name, text in written.items())
    write_whole(output / "README.txt", f"Written by sklearn-cae fit:\n\n{listed}\n".encode())
    print(
        f"\nGroups: {clusterer.n_clusters_}. Images: {len(groups)}, doubtful ones: "
        f"{groups['doubtful'].sum()}. Files in {output}:\n{listed}\n"
    )
    if clusterer.interrupted_:
        print("The training was stopped. If you call the same command again, it goes on.\n")
    print(
        f"Open first: {output / 'report.html'}. Show it to someone who knows the images.\n"
        "Try next:\n"
        '  - Look under "How images were taken" whether a group is a scanner or a format.\n'
        "  - If groups mix what differs, ask for more of them: --n-clusters "
        f"{clusterer.n_clusters_ + 2}.\n"
        "  - Later images: sklearn-cae assign "
        f"{output / 'model.safetensors'} FOLDER"
    )
