"""The tables of ``docs/measured/performance.md``, from the results of ``benchmarks.speed``."""

from functools import partial

from benchmarks.pages._tables import TITLES, read, table

TORCHVISION = "torchvision's transforms, data loader, plain PyTorch"
SKORCH = "the same transforms, skorch's default net"
LIGHTLY = "Lightly's transform, loss, optimiser and loop"
DATASETS = {"": TITLES["pneumoniamnist"], "/mnist": TITLES["mnist"]}  # keys are the ends of names
PHASES = {"warm_up": "warm-up", "conditioning": "conditioning"}
SPEED = {  # of each table the records: (measured, compared with)
    "limits": {
        **{
            f"{phase}/limit{end}": (f"{title}, {where}", "bare step and views")
            for phase, title in PHASES.items()
            for end, where in DATASETS.items()
        },
        **{
            f"{phase}/added{end}": (
                f"{title}, {where}: time that `fit` adds",
                "bare step and views",
            )
            for phase, title in PHASES.items()
            for end, where in DATASETS.items()
        },
        **{
            f"{phase}/bare_step/plain": (f"bare {title} step", "in float32, channels first")
            for phase, title in PHASES.items()
        },
    },
    "peers": {
        f"peer/{peer}{end}": (f"warm-up, {where}", title)
        for end, where in DATASETS.items()
        for peer, title in (
            ("torchvision_loader", f"{TORCHVISION}, in float32 (the default)"),
            ("torchvision_loader/same_precision", f"{TORCHVISION}, in bfloat16"),
            ("skorch_default", f"{SKORCH}, in float32 (the default)"),
            ("skorch_default/same_precision", f"{SKORCH}, in bfloat16"),
            ("lightly", f"{LIGHTLY}, in float32 (the default)"),
            ("lightly/same_precision", f"{LIGHTLY}, in bfloat16"),
            ("kornia/same_precision", "kornia's batched augmentations in our loop"),
        )
    },
    "views": {
        f"views/{peer}{end}": (f"views alone, {where}", title)
        for end, where in DATASETS.items()
        for peer, title in (
            ("torchvision", "torchvision with the best number of workers"),
            ("torchvision/0", "torchvision without workers"),
            ("kornia", "kornia"),
        )
    },
    "inference": {
        **{
            f"{method}/limit/{n}": (f"`{method}` of {n:,} images", "bare encoder")
            for n in (1_000, 60_000)
            for method in ("transform", "predict", "predict_proba")
        },
        "predict/limit/1": ("`predict` of one image", "bare encoder"),
    },
    "growth": {
        **{
            f"growth/{step}/{n}": (f"{title}, {n:,} images", "5,000 images")
            for step, title in (
                *PHASES.items(),
                ("prototypes", "sweep, prototypes, assignment"),
                ("memory", "peak memory"),
            )
            for n in (20_000, 60_000, 500_000)
        },
        "growth/validation": ("checks before training, 500,000 images", "one epoch"),
        **{
            f"growth/drift/{phase}": (
                f"the machine: {title}, 5,000 images at the end",
                "at the start",
            )
            for phase, title in PHASES.items()
        },
        "search/share_of_fit": ("search for k, 60,000 images", "whole fit of 50 + 50 epochs"),
    },
    "fits": {
        f"fit/{name}{key}": (measured, title)
        for name, title in (
            ("clustpy_dec", "ClustPy's DEC"),
            ("clustpy_idec", "ClustPy's IDEC"),
            ("pixels_kmeans", "scikit-learn's KMeans on pixels"),
        )
        for key, measured in (
            ("", "time"),
            ("/memory", "peak memory"),
            ("/accuracy", "Hungarian accuracy"),
            ("/nmi", "NMI"),
        )
    },
    "startup": {
        "import": ("`import sklearn_cae`", "`import sklearn.base`"),
        "import/estimator": ("the estimator's module", "torch, skorch and scikit-learn alone"),
        "help": ("`python -m sklearn_cae --help`", "`import sklearn.base`"),
        "search/n_jobs_2": ("`GridSearchCV(n_jobs=2)`", "`n_jobs=1`"),
        "search/n_jobs_2/cold": ("the same, with the start of its processes", "`n_jobs=1`"),
        "search/communities": ('`n_clusters="auto"`, 10,000 rows', "KMeans with 2 to 20 clusters"),
        "finders/auto": ('`n_clusters="auto"`, 60,000 images', "the elbow of KMeans"),
        "finders/mixture": ("a mixture of 10, 60,000 images", "the elbow of KMeans"),
        "finders/bic": ("a mixture by BIC, 60,000 images", "the elbow of KMeans"),
        "compiled": ("bare warm-up step with `torch.compile`", "without"),
        "allocator": ("bare warm-up step, memory kept", "memory returned to the system"),
    },
}


def render_speed(name):
    records = {one["name"]: one for one in read("speed")}
    rows = []
    for record, titles in SPEED[name].items():
        one = records[record]
        figures = f"{one['ours']:,g}", f"{one['other']:,g}", one["unit"], f"{one['ratio']:.2f}"
        rows.append([*titles, *figures])
    return table(["measured", "compared with", "ours", "other", "unit", "ours / other"], rows)


def render_grid():
    cells = {}
    for one in read("step_grid")["steps"]:
        row = (PHASES[one["phase"]], "-".join(map(str, one["widths"])), one["threads"])
        cells.setdefault(row, {})[f"{one['precision']}, {one['layout']}"] = one["ms"]
    columns = next(iter(cells.values()))
    rows = [[*row, *ms.values()] for row, ms in cells.items()]
    return table(["phase", "widths", "threads", *columns], rows)


def render_profile():
    shares = read("profile_step")["shares"]
    return table(["operation", "share"], [[kind, f"{one:.0%}"] for kind, one in shares.items()])


def render_machine():
    header = read("speed_header")["limit"]
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    return f"Measured on {header['machine']}, Python {header['python']}, with {versions}.\n"


def render_pictures():
    rows = [
        [f"`{one['method']}`", f"{one['drawn']:,}", f"{one['seconds']:.0f}"]
        for one in read("pictures")["pictures"]
    ]
    return table(["`method`", "points drawn", "seconds"], rows)


def render_devices():
    results = read("devices")
    rows = [
        [
            *(one[name] for name in ("device", "precision", "batch_size")),
            f"{one['images_per_second']:,}",
        ]
        for one in results["epochs"]
    ]
    machine = f"Measured on {results['machine']}, with torch {results['versions']['torch']}:\n\n"
    return machine + table(["device", "precision", "batch size", "images per second"], rows)


#: Columns of the fits of the recommended setting.
FITS = {
    "epochs": "epochs",
    "seconds": "seconds",
    "n_clusters": "groups",
    "nmi": "NMI",
    "knn": "kNN",
    "logistic": "logistic",
    "psnr": "PSNR (dB)",
}
DECIMALS = {"seconds": 0, "psnr": 2}
TITLES_OF_FITS = {
    "pneumoniamnist": "X-rays",
    "few_pneumoniamnist": "X-rays",
    "fixed_pneumoniamnist": "X-rays, now `train_encoder=False`",
    "brain_mri": "slices of brain MRI",
    "mnist": "digits",
}


def render_recommended():
    results = read("recommended")
    codes = {"before": f"before ({results['before']})", "now": "now"}
    rows = []
    for fit in results["fits"]:
        for code, title in codes.items():
            shown = [show_score(name, fit[code][name]) for name in FITS]
            ratio = fit["now"]["seconds"] / fit["before"]["seconds"] if code == "now" else None
            first = [f"{fit['n_samples']:,} {TITLES_OF_FITS[fit['name']]}", fit["seed"], title]
            rows.append([*first, *shown, "" if ratio is None else f"{ratio:.2f}"])
    return table(["images", "seed", "setting", *FITS.values(), "now / before, seconds"], rows)


def show_score(name, value):
    if name == "epochs":
        return " + ".join(map(str, value))
    if name == "n_clusters":
        return str(value)
    return f"{value:.{DECIMALS.get(name, 3)}f}"


TABLES = {
    "recommended": render_recommended,
    "machine": render_machine,
    "profile": render_profile,
    "grid": render_grid,
    "pictures": render_pictures,
    "devices": render_devices,
    **{name: partial(render_speed, name) for name in SPEED},
}
