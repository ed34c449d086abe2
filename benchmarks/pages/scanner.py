"""Tables of groups that are a planted scanner, with and without corrections."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, table
from benchmarks.quality.scanner import EFFECTS, OF_SETS, PARTS, ROWS

SETS = {"pneumoniamnist": "X-rays", "mnist": "digits", "brain_mri": "brain MRI"}
TITLES = {
    "pixels": "communities of pixels",
    "kmeans": "KMeans of pixels",
    "scattering": "communities of a scattering",
    "squeezenet": "communities of SqueezeNet's features",
    "recommended": "**recommended setting**",
}
CORRECTIONS = {
    "none": "",
    "per_site": "location and scale per site",
    "combatlearn": "ComBat",
}
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


def _mark(text, is_reached):
    return text if is_reached else f"**{text}**"


def render_aims(part):
    """Show, for each effect apart from the class, how much of the scanner and the class is left."""
    runs, rows = _runs(), []
    for name, title in SETS.items():
        plain = runs.get((name, "none", 0, 0.5, "recommended", "none"))
        for effect in OF_SETS[name]:
            condition = (name, effect, strongest(effect), 0.5, "recommended")
            cells = [
                _aims(runs[*condition, correction], plain, part)
                for correction in CORRECTIONS
                if (*condition, correction) in runs
            ]
            if cells:
                rows.append([title, effect, *cells])
    titles = [title or "no correction" for title in CORRECTIONS.values()]
    return table(["images", "effect", *titles], rows)


def _aims(records, plain, part):
    site, lead = _mean(records, part, "nmi_site"), _lead(records, part)
    share = _mean(records, part, "nmi_class") / _mean(plain, part, "nmi_class")
    return ", ".join(
        (
            _mark(f"{site:.3f}", site <= LARGEST_NMI),
            _mark(f"{lead:+.2f}", lead <= LARGEST_LEAD),
            _mark(f"{100 * share:.0f} %", share >= SMALLEST_SHARE),
        )
    )


def render_costs():
    """Show what corrections change if there is no effect, or if it goes along with the class."""
    runs, rows = _runs(), []
    found = {key[:4]: None for key in runs if key[1] == "none" or key[3] > 0.5}
    order = list(SETS)
    for key in sorted(
        found, key=lambda key: (order.index(key[0]), key[3], list(EFFECTS).index(key[1]))
    ):
        name, effect, _, confounded = key
        plain = runs[*key, "recommended", "none"]
        before = _mean(plain, "fitted", "nmi_class")
        cells = [
            f"{_mean(runs[*key, 'recommended', correction], 'fitted', 'nmi_class') - before:+.3f}"
            for correction in list(CORRECTIONS)[1:]
            if (*key, "recommended", correction) in runs
        ]
        rows.append([SETS[name], effect, f"{confounded:g}", f"{before:.3f}", *cells])
    titles = list(CORRECTIONS.values())[1:]
    return table(["images", "effect", "share", "NMI, class, no correction", *titles], rows)


def _by_effect(show):
    """Return a table of X-rays and digits: a line per row and correction, a column per effect."""
    runs = _runs()
    columns = [
        *(("pneumoniamnist", effect) for effect in ("none", *OF_SETS["pneumoniamnist"])),
        *(("mnist", effect) for effect in ("none", *OF_SETS["mnist"])),
    ]
    rows = []
    for row, corrections in ROWS.items():
        for correction in corrections:
            keys = [(*of, strongest(of[1]), 0.5, row, correction) for of in columns]
            cells = [show(runs[key]) if key in runs else "" for key in keys]
            rows.append([TITLES[row], CORRECTIONS[correction], *cells])
    names = [
        f"{SETS[name]}, {'no effect' if effect == 'none' else effect}" for name, effect in columns
    ]
    return table(["groups of", "correction", *names], rows)


def render_groups(part):
    """Show NMI with the class and with the site."""
    return _by_effect(
        lambda one: f"{_mean(one, part, 'nmi_class'):.2f} / {_mean(one, part, 'nmi_site'):.2f}"
    )


def render_read():
    """Show how far a kNN reads the site above chance, from fitted and from new images."""
    return _by_effect(lambda one: " / ".join(f"{_lead(one, part):+.2f}" for part in PARTS))


def render_strengths():
    """Show the recommended setting on X-rays by the strength of the effect."""
    runs, rows = _runs(), []
    for effect in OF_SETS["pneumoniamnist"]:
        for strength in EFFECTS[effect][1]:
            cells = []
            for correction in CORRECTIONS:
                one = runs.get(("pneumoniamnist", effect, strength, 0.5, "recommended", correction))
                cells.append(
                    ""
                    if one is None
                    else f"{_mean(one, 'fitted', 'nmi_class'):.2f} / "
                    f"{_mean(one, 'fitted', 'nmi_site'):.2f} / {_lead(one, 'fitted'):+.2f}"
                )
            rows.append([effect, f"{strength:g}", *cells])
    titles = [title or "no correction" for title in CORRECTIONS.values()]
    return table(["effect", "strength", *titles], rows)


def render_seeds():
    """Tell how many seeds the means are of."""
    numbers = {len(records) for records in _runs().values()}
    return f"Means of {' to '.join(str(n) for n in sorted({min(numbers), max(numbers)}))} seeds.\n"


TABLES = {
    "scanner_seeds": render_seeds,
    "scanner_aims": lambda: render_aims("fitted"),
    "scanner_aims_new": lambda: render_aims("new"),
    "scanner_costs": render_costs,
    "scanner_strengths": render_strengths,
    "scanner_groups": lambda: render_groups("fitted"),
    "scanner_read": render_read,
}
