"""Table of ``docs/measured/quick_look.md``, from the results of ``benchmarks.speed.quick_look``."""

from benchmarks.pages._tables import read, table

CLAIMS = {None: "", True: "yes", False: "no"}
COLUMNS = [
    *("samples", "method", "k", "without a group", "Hungarian", "NMI"),
    *("halves agree", "claims groups"),
]


def render_quick_look():
    """Show each run, by its samples and its method."""
    return table(COLUMNS, [_row(one) for one in read("quick_look")])


def _row(one):
    return [
        f"{one['set']}, {one['n_samples']}",
        one["method"],
        one["n_groups"],
        f"{100 * one['noise']:.0f} %",
        _score(one.get("hungarian")),
        _score(one.get("nmi")),
        _score(one.get("halves")),
        CLAIMS[one.get("found")],
    ]


def _score(value):
    return "" if value is None else f"{value:.3f}"


TABLES = {"quick_look": render_quick_look}
