"""Write the tables of the README and of ``docs`` from ``benchmarks/results``.

python -m benchmarks.pages.render           # rewrite them
python -m benchmarks.pages.render --check   # fail where one is not what the results say
"""

import json
import sys
from pathlib import Path

from benchmarks.pages import ablations, progress, reliability, small, table1
from benchmarks.pages.table1 import RESULTS

ROOT = Path(__file__).parents[2]
TORCHVISION = "torchvision's transforms, data loader, plain PyTorch"
SKORCH = "the same transforms, skorch's default net"
LIGHTLY = "Lightly's transform, loss, optimiser and loop"
SPEED = {  # tables of the page on performance: a title for each record
    "limits": {
        "warm_up/limit": "warm-up, PneumoniaMNIST: `fit`; bare step and views",
        "warm_up/limit/mnist": "warm-up, MNIST: `fit`; bare step and views",
        "conditioning/limit": "conditioning, PneumoniaMNIST: `fit`; bare step and views",
        "conditioning/limit/mnist": "conditioning, MNIST: `fit`; bare step and views",
        **{
            f"{phase}/added{end}": f"{title}, {where}: what `fit` adds; bare step and views"
            for phase, title in (("warm_up", "warm-up"), ("conditioning", "conditioning"))
            for end, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        },
        "warm_up/bare_step/plain": "bare warm-up step; float32, channels first",
        "conditioning/bare_step/plain": "bare conditioning step; float32, channels first",
    },
    "peers": {
        f"peer/{peer}{dataset}": f"{title}, {where}"
        for dataset, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        for peer, title in (
            ("torchvision_loader", f"{TORCHVISION}, in float32 as it comes"),
            ("torchvision_loader/same_precision", f"{TORCHVISION}, in bfloat16"),
            ("skorch_default", f"{SKORCH}, in float32 as it comes"),
            ("skorch_default/same_precision", f"{SKORCH}, in bfloat16"),
            ("lightly", f"{LIGHTLY}, in float32 as it comes"),
            ("lightly/same_precision", f"{LIGHTLY}, in bfloat16"),
            ("kornia/same_precision", "kornia's batched augmentations in our loop"),
        )
    },
    "views": {
        f"views/{peer}{dataset}": f"views alone, {title}, {where}"
        for dataset, where in (("", "PneumoniaMNIST"), ("/mnist", "MNIST"))
        for peer, title in (
            ("torchvision", "torchvision with the best number of workers"),
            ("torchvision/0", "torchvision without workers"),
            ("kornia", "kornia"),
        )
    },
    "inference": {
        **{
            f"{method}/limit/{n}": f"`{method}` of {n:,} images; bare encoder"
            for n in (1_000, 60_000)
            for method in ("transform", "predict", "predict_proba")
        },
        "predict/limit/1": "`predict` of one image; bare encoder",
    },
    "growth": {
        **{
            f"growth/{step}/{n}": f"{title}, {n:,} images; 5,000"
            for step, title in (
                ("warm_up", "warm-up"),
                ("conditioning", "conditioning"),
                ("prototypes", "sweep, prototypes, assignment"),
                ("memory", "peak memory"),
            )
            for n in (20_000, 60_000, 500_000)
        },
        "growth/validation": "checks before training; one epoch (500,000 images)",
        "growth/drift/warm_up": "the machine, warm-up: 5,000 images at the end; at the start",
        "growth/drift/conditioning": "the same, conditioning",
        "search/share_of_fit": "search for k; a whole fit of 50 + 50 epochs (60,000 images)",
    },
    "fits": {
        f"fit/{name}{key}": f"{title}: {what}"
        for name, title in (
            ("clustpy_dec", "ClustPy's DEC"),
            ("clustpy_idec", "ClustPy's IDEC"),
            ("pixels_kmeans", "scikit-learn's KMeans on pixels"),
        )
        for key, what in (
            ("", "time"),
            ("/memory", "peak memory"),
            ("/accuracy", "Hungarian accuracy"),
            ("/nmi", "NMI"),
        )
    },
    "startup": {
        "import": "`import sklearn_cae`; `import sklearn.base`",
        "import/estimator": "the estimator's module; torch, skorch and scikit-learn alone",
        "help": "`python -m sklearn_cae --help`; `import sklearn.base`",
        "search/n_jobs_2": "`GridSearchCV(n_jobs=2)`; `n_jobs=1`",
        "search/n_jobs_2/cold": "the same, starting its processes; `n_jobs=1`",
        "search/communities": '`n_clusters="auto"` in 10,000 rows; KMeans with 2 to 20 clusters',
        "finders/auto": '`n_clusters="auto"`, 60,000 images; the elbow of KMeans',
        "finders/mixture": "a mixture of 10, 60,000 images; the elbow of KMeans",
        "finders/bic": "a mixture by BIC, 60,000 images; the elbow of KMeans",
        "compiled": "bare warm-up step through `torch.compile`; without",
        "allocator": "bare warm-up step, memory kept; given back to the system",
    },
}


def render_speed(table):
    records = {one["name"]: one for one in json.loads((RESULTS / "speed.json").read_text())}
    lines = ["| what; beside what | ours | other | unit | ours / other |", "|---|---|---|---|---|"]
    for name, title in SPEED[table].items():
        one = records[name]
        lines.append(
            f"| {title} | {one['ours']:,g} | {one['other']:,g} | {one['unit']} "
            f"| {one['ratio']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def render_grid():
    results = json.loads((RESULTS / "step_grid.json").read_text())
    cells = {}
    for one in results["steps"]:
        row = (one["phase"].replace("_", "-"), "-".join(map(str, one["widths"])), one["threads"])
        cells.setdefault(row, {})[f"{one['precision']}, {one['layout']}"] = one["ms"]
    columns = list(next(iter(cells.values())))
    lines = [
        "| phase | widths | threads | " + " | ".join(columns) + " |",
        "|---" * (3 + len(columns)) + "|",
    ]
    for row, ms in cells.items():
        lines.append(f"| {' | '.join(map(str, row))} | {' | '.join(map(str, ms.values()))} |")
    return "\n".join(lines) + "\n"


def render_profile():
    shares = json.loads((RESULTS / "profile_step.json").read_text())["shares"]
    lines = ["| operation | share |", "|---|---|"]
    return "\n".join([*lines, *(f"| {kind} | {one:.0%} |" for kind, one in shares.items())]) + "\n"


def render_machine():
    header = json.loads((RESULTS / "speed_header.json").read_text())["limit"]
    versions = ", ".join(f"{name} {version}" for name, version in header["versions"].items())
    return f"Made on {header['machine']}, Python {header['python']}, with {versions}.\n"


def render_pictures():
    results = json.loads((RESULTS / "pictures.json").read_text())
    lines = ["| `method` | points drawn | seconds |", "|---|---|---|"]
    for one in results["pictures"]:
        lines.append(f"| `{one['method']}` | {one['drawn']:,} | {one['seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def render_devices():
    results = json.loads((RESULTS / "devices.json").read_text())
    lines = [
        f"On {results['machine']}, torch {results['versions']['torch']}:\n",
        "| device | precision | batch | images a second |",
        "|---|---|---|---|",
    ]
    for one in results["epochs"]:
        where = f"| {one['device']} | {one['precision']} | {one['batch_size']} "
        lines.append(f"{where}| {one['images_a_second']:,} |")
    return "\n".join(lines) + "\n"


PAGES = {
    "README.md": {"results": table1.render_results},
    "docs/benchmarks.md": {**table1.TABLES, **progress.TABLES},
    "docs/ablations.md": ablations.TABLES,
    "docs/recommended.md": small.TABLES,
    "docs/reliability.md": reliability.TABLES,
    "docs/performance.md": {
        "machine": render_machine,
        "profile": render_profile,
        "grid": render_grid,
        "pictures": render_pictures,
        "devices": render_devices,
        **{table: lambda table=table: render_speed(table) for table in SPEED},
    },
}


def main():
    for page, tables in PAGES.items():
        path = ROOT / page
        text = old = path.read_text()
        for name, render in tables.items():
            start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
            before, rest = text.split(start)
            text = before + start + render() + end + rest.split(end)[1]
        if "--check" in sys.argv and text != old:
            sys.exit(f"{page}: run python -m benchmarks.pages.render")
        path.write_text(text)


if __name__ == "__main__":
    main()
