"""Tables of encoders and sizes: quality by encoder, and time and memory by size."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, spread, table
from benchmarks.quality.encoders import ROWS

TITLES = {
    "recommended": "**recommended setting**",
    "scattering": "scattering, nothing trained",
    "pixels": "components of pixels",
    "squeezenet": "SqueezeNet of ImageNet, fixed",
    "trained": "trained from scratch",
    "squeezenet_tuned": "SqueezeNet of ImageNet, trained",
}
SETS = {
    "pneumoniamnist": "X-rays, 2 classes",
    "brain_mri": "brain MRI, 4 classes",
    "blood_cells": "blood cells (RGB), 4 classes",
}
SCORES = {"knn": "kNN", "linear": "logistic", "nmi": "NMI", "ari": "ARI"}


def render_encoders():
    """Show means over seeds of the fits to a set, by encoder and size."""
    fits = {}
    for one in read("encoders"):
        key = (one["set"], one["size"], one["row"], one["share_of_epochs"], one["n_fitted"])
        fits.setdefault(key, []).append(one)
    order = list(SETS)
    rows = []
    for key in sorted(fits, key=lambda key: (order.index(key[0]), key[1], ROWS.index(key[2]))):
        name, size, row, share, n_fitted = key
        check_alike(fits[key])
        title = TITLES[row] + ("" if share == 1 else f", {share:g} of the epochs")
        numbers = ", ".join(str(one["n_clusters"]) for one in fits[key])
        scores = [spread(over_seeds(one[score] for one in fits[key])) for score in SCORES]
        seconds = min(one["seconds"] for one in fits[key])
        rows.append([SETS[name], n_fitted, size, title, *scores, numbers, f"{seconds:.0f}"])
    columns = ["images", "fitted", "pixels", "encoder", *SCORES.values(), "k", "fit, s"]
    return table(columns, rows)


def render_by_size():
    """Show seconds and memory of the recommended setting, now and before."""
    found = read("by_size")
    rows = []
    for one in found["sizes"]:
        now, before = one["now"], one["before"]
        cells = [f"{one['side']} x {one['side']}"]
        for key, digits in (("epoch_seconds", 2), ("fit_seconds", 0), ("added_mib", 0)):
            cells += [f"{each[key]:,.{digits}f}" for each in (now, before)]
        rows.append(cells)
    measures = ("epoch, s", "whole fit, s", "memory, MiB")
    names = [f"{measure}{when}" for measure in measures for when in ("", ", before")]
    machine = f"Before is commit `{found['before']}`, on {found['made_by']['machine']}:\n\n"
    return machine + table(["size", *names], rows)


def render_by_size_peer():
    """Show images per second of a trained encoder, and of Lightly's loop."""
    rows = []
    for one in read("by_size")["sizes"]:
        ours, lightly = one["images_per_second"].values()
        shown = f"{ours:,.0f}", *(("", "") if lightly is None else _beside(ours, lightly))
        rows.append([f"{one['side']} x {one['side']}", *shown])
    columns = ["size", "`encoder=UnpooledEncoder`", "Lightly, ResNet-18", "ours / Lightly"]
    return table(columns, rows)


def _beside(ours, lightly):
    return f"{lightly:,.0f}", f"{ours / lightly:.1f}"


def render_sizes():
    """Show the time and memory of a fit with a fixed and with a trained encoder."""
    rows = []
    for one in read("by_size")["sizes"]:
        minutes = [f"{one[name]['fit_seconds'] / 60:.1f}" for name in ("now", "trained")]
        memory = [f"{one[name]['added_mib']:,.0f}" for name in ("now", "trained")]
        rows.append([f"{one['side']} x {one['side']}", *minutes, *memory])
    columns = ["size", "recommended setting, minutes", "trained encoder, minutes"]
    return table([*columns, "recommended setting, MiB", "trained encoder, MiB"], rows)


def render_scattering():
    """Show the time and memory of the scattering, here and in kymatio."""
    rows = []
    for one in read("scattering")["rows"]:
        size = f"{one['side']} x {one['side']}"
        times = f"{one['ours_ms']:.2f}", f"{one['kymatio_ms']:.2f}", f"{one['times_faster']:.1f}"
        memory = one["ours_mib"], one["kymatio_mib"]
        rows.append([size, one["max_order"], one["threads"], *times, *memory])
    names = ["ms an image", "ms an image, kymatio", "times faster", "MiB", "MiB, kymatio"]
    return table(["size", "order", "threads", *names], rows)


TABLES = {
    "docs/measured/encoders.md": {
        "encoders": render_encoders,
        "by_size": render_by_size,
        "by_size_peer": render_by_size_peer,
        "scattering": render_scattering,
    },
    "docs/guide/size.md": {"sizes": render_sizes},
}
