"""Tables of folders of images: ways to one size, other methods."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, spread, table

WAYS = {
    "stretch": "stretched",
    "crop": "cropped to the middle",
    "pad": "padded with black borders",
}


def render_folder():
    """Show agreement of groups with the diagnosis and with the proportions, by way and size."""
    ways = {}
    for one in read("folder"):
        ways.setdefault((one["size"], one["fit"]), []).append(one)
    rows = []
    for (size, fit), runs in sorted(
        ways.items(), key=lambda each: (each[0][0], list(WAYS).index(each[0][1]))
    ):
        check_alike(runs)
        row = [str(size), WAYS[fit], str(len(runs)), _numbers(runs, "n_clusters")]
        names = ("nmi", "ari", "nmi_proportions", "ari_proportions")
        rows.append(row + [spread(over_seeds(run[name] for run in runs)) for name in names])
    columns = ["size", "images are", "seeds", "k", "NMI, diagnosis", "ARI, diagnosis"]
    return table([*columns, "NMI, proportions", "ARI, proportions"], rows)


def render_alternatives():
    """Show groups of 400 X-rays by method."""
    methods = {}
    for one in read("alternatives"):
        methods.setdefault(one["method"], []).append(one)
    rows = []
    for name, runs in methods.items():
        scores = [spread(over_seeds(run[score] for run in runs)) for score in ("nmi", "ari")]
        noise = f"{100 * over_seeds(run['noise'] for run in runs)['mean']:.0f} %"
        seconds = f"{over_seeds(run['seconds'] for run in runs)['mean']:.0f}"
        rows.append([name, _numbers(runs, "n_groups"), *scores, noise, seconds])
    return table(["groups by", "k", "NMI", "ARI", "without a group", "seconds"], rows)


def _numbers(runs, name):
    return ", ".join(str(run[name]) for run in runs)


TABLES = {
    "docs/measured/cohort.md": {"folder": render_folder},
    "docs/measured/alternatives.md": {"alternatives": render_alternatives},
}
