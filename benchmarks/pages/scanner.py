"""Tables of groups that are a planted scanner, with and without corrections."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, table
from benchmarks.quality.scanner import (
    CONDITIONS_OF_TRAINED,
    EFFECTS,
    OF_SETS,
    PARTS,
    ROWS,
    conditions,
)

SETS = {"pneumoniamnist": "X-rays", "mnist": "digits", "brain_mri": "brain MRI"}
TITLES = {
    "pixels": "communities of pixels",
    "kmeans": "KMeans of pixels",
    "scattering": "communities of a scattering",
    "squeezenet": "communities of SqueezeNet's features",
    "recommended": "**recommended setting**",
}
CORRECTIONS = {
    "none": "none",
    "per_site": "location and scale per site",
    "combatlearn": "ComBat",
    "nuisance": "`nuisance=`",
}
OF_ALL_SETS = [row for row in ROWS if row != "trained"]
SCORES = ("nmi_class", "nmi_site")
LARGEST_NMI, LARGEST_LEAD, SMALLEST_SHARE = 0.03, 0.10, 0.9


def strongest(effect):
    return EFFECTS[effect][1][-1]


def _runs():
    """Return {(set, effect, strength, share of site 1, row, correction): records of the seeds}."""
    runs = {}
    names = ("set", "effect", "strength", "confounded", "row", "correction")
    for one in read("scanner"):
        runs.setdefault(tuple(one[name] for name in names), []).append(one)
    for records in runs.values():
        check_alike(records)
    return runs


def _mean(records, part, score):
    return over_seeds(one[part][score] for one in records)["mean"]


def _lead(records, part):
    """Return how much better the kNN reads the site than who knows the class alone."""
    chance = max(records[0]["confounded"], 1 - records[0]["confounded"])
    return _mean(records, part, "knn_site") - chance


def _signed(number, digits=2):
    return f"{round(number, digits) + 0:+.{digits}f}"  # 0 has no minus


def _mark(text, is_reached):
    return text if is_reached else f"**{text}**"


def render_aims(part):
    """Show, for each effect apart from the class, how much of the scanner and the class is left."""
    runs, rows = _runs(), []
    for name, title in SETS.items():
        plain = runs[name, "none", 0, 0.5, "recommended", "none"]
        for effect in OF_SETS[name]:
            key = (name, effect, strongest(effect), 0.5)
            rows.append([title, effect, *_of_corrections(runs, key, _show_aims, plain, part)])
    return table(["images", "effect", *CORRECTIONS.values()], rows)


def _of_corrections(runs, key, show, *args):
    """Return a cell of the recommended setting for each correction."""
    return [show(runs[*key, "recommended", correction], *args) for correction in CORRECTIONS]


def _show_aims(records, plain, part):
    site, lead = _mean(records, part, "nmi_site"), _lead(records, part)
    share = _mean(records, part, "nmi_class") / _mean(plain, part, "nmi_class")
    return ", ".join(
        (
            _mark(f"{site:.3f}", site <= LARGEST_NMI),
            _mark(_signed(lead), lead <= LARGEST_LEAD),
            _mark(f"{100 * share:.0f} %", share >= SMALLEST_SHARE),
        )
    )


def render_costs():
    """Show what corrections change if there is no effect, or if it goes along with the class."""
    runs, rows = _runs(), []
    for name, title in SETS.items():
        for effect, strength, confounded in conditions(name):
            if effect == "none" or confounded > 0.5:
                key = (name, effect, strength, confounded)
                before, *after = _of_corrections(runs, key, _mean, "fitted", "nmi_class")
                changes = [_signed(one - before, 3) for one in after]
                shown = "no effect" if effect == "none" else effect
                rows.append([title, shown, f"{confounded:g}", f"{before:.3f}", *changes])
    return table(["images", "effect", "share", *CORRECTIONS.values()], rows)


def render_strengths():
    """Show the recommended setting on X-rays by the strength of the effect."""
    runs, rows = _runs(), []
    for effect in OF_SETS["pneumoniamnist"]:
        for strength in EFFECTS[effect][1]:
            key = ("pneumoniamnist", effect, strength, 0.5)
            rows.append([effect, f"{strength:g}", *_of_corrections(runs, key, _show_all)])
    return table(["effect", "strength", *CORRECTIONS.values()], rows)


def _show_all(records):
    return f"{_show_groups(records)} / {_signed(_lead(records, 'fitted'))}"


def _show_groups(records):
    return " / ".join(f"{_mean(records, 'fitted', score):.2f}" for score in SCORES)


def _by_effect(show, rows_shown):
    """Return a table with a line per row and correction, and a column per effect."""
    runs = _runs()
    columns = [
        (name, effect)
        for name in ("pneumoniamnist", "mnist")
        for effect in ("none", *OF_SETS[name])
    ]
    rows = []
    for row in rows_shown:
        for correction in ROWS[row]:
            keys = [(*of, strongest(of[1]), 0.5, row, correction) for of in columns]
            rows.append([TITLES[row], CORRECTIONS[correction], *(show(runs[key]) for key in keys)])
    names = [
        f"{SETS[name]}, {'no effect' if effect == 'none' else effect}" for name, effect in columns
    ]
    return table(["groups of", "correction", *names], rows)


def render_groups():
    """Show NMI with the class and with the site, of fitted images."""
    return _by_effect(_show_groups, OF_ALL_SETS)


def render_read():
    """Show how far a kNN reads the site above chance, from fitted and from new images."""
    rows = [row for row in OF_ALL_SETS if row != "kmeans"]  # it sees the same pixels
    return _by_effect(lambda one: " / ".join(_signed(_lead(one, part)) for part in PARTS), rows)


def render_trained():
    """Show an encoder that is trained: groups and legibility, of fitted and of new images."""
    runs, rows = _runs(), []
    for condition in CONDITIONS_OF_TRAINED:
        effect, key = condition[0], ("pneumoniamnist", *condition, "trained")
        cells = [
            ", ".join(
                (
                    *(f"{_mean(runs[*key, correction], part, score):.2f}" for score in SCORES),
                    _signed(_lead(runs[*key, correction], part)),
                )
            )
            for part in PARTS
            for correction in ROWS["trained"]
        ]
        rows.append(["no effect" if effect == "none" else effect, *cells])
    names = [f"{part}, {CORRECTIONS[name]}" for part in PARTS for name in ROWS["trained"]]
    return table(["effect", *names], rows)


TABLES = {
    "scanner_aims": lambda: render_aims("fitted"),
    "scanner_aims_new": lambda: render_aims("new"),
    "scanner_costs": render_costs,
    "scanner_strengths": render_strengths,
    "scanner_groups": render_groups,
    "scanner_read": render_read,
    "scanner_trained": render_trained,
}
