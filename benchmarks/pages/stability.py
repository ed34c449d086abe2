"""Tables of ``docs/measured/stability.md``: `benchmarks.quality.stability` and `.noise`."""

from benchmarks.pages._tables import read, show_clusters, table


def render_consensus():
    """Show how alike the groups of several fits are, by the number of halves."""
    rows, results = [], read("stability")
    alone = {one["set"]: one["seconds"] for one in results if one["n_init"] == 1}
    for one in results:
        rows.append([one["set"], one["n_init"], show_clusters(one["n_clusters"])])
        rows[-1] += [f"{one[name]:.2f}" for name in ("ari", "nmi")]
        rows[-1] += [f"{100 * one[name]:.0f} %" if name in one else "" for name in SHARES]
        rows[-1] += [f"{one['seconds'] / alone[one['set']]:.1f}"]
    columns = ["set", "`n_init`", "groups", "ARI of two fits", "NMI", "called stable"]
    return table([*columns, "of these, two other fits agree on", "time"], rows)


def render_reports():
    """Show whether new fits agree on the images that a report calls stable."""
    rows = []
    for one in read("sample_stability"):
        shares = (f"{100 * one[name]:.0f} %" for name in (*SHARES, "agree_on_all"))
        rows.append([one["set"], one["n_clusters"], *shares])
    columns = ["set", "`n_clusters`", "called stable", "of these, two new fits agree on"]
    return table([*columns, "of all"], rows)


def render_noise():
    """Show how many fits call a number of groups stable in noise."""
    rows = [[one["kind"], f"{one['n_found']} of {one['n_seeds']}"] for one in read("noise")]
    return table(["noise", "fits that call a number stable"], rows)


SHARES = ("stable", "agree")
TABLES = {"consensus": render_consensus, "reports": render_reports, "noise": render_noise}
