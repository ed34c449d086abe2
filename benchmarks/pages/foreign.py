"""Table of ``docs/measured/foreign.md``, from the results of ``benchmarks.quality.foreign``."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, table


def render_foreign():
    """Show the share of images that are told, by the kind of image and the data of the fit."""
    fits = {}
    for one in read("foreign"):
        fits.setdefault(one["data"], []).append(one)
    names = list(fits)
    for runs in fits.values():
        check_alike(runs)
    kinds = list(fits[names[0]][0]["told"])
    rows = [["new images of the same kind", *_shares(fits, lambda run: run["false_alarms"])]]
    for kind in kinds:
        rows.append([kind, *_shares(fits, lambda run, kind=kind: run["told"][kind])])
    rows.append(
        [
            "new images of the same kind, by the error of the networks",
            *_shares(fits, lambda run: run["false_alarms_of_networks"]),
        ]
    )
    return table(["images", *(f"told, fit on {name}" for name in names)], rows)


def _shares(fits, choose):
    """Return the mean share over seeds, in percent, for each data set."""
    means = (over_seeds(choose(run) for run in runs)["mean"] for runs in fits.values())
    return [f"{100 * mean:.1f} %" for mean in means]


TABLES = {"foreign": render_foreign}
