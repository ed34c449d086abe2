"""Tables of ``docs/measured/reliability.md``, from slow tests and ``benchmarks.robustness``.

``python -m benchmarks.pages.reliability`` draws its figure.
"""

from benchmarks._common import RESULTS
from benchmarks.pages._tables import read, table

PLACES = {
    "before": "before the first epoch",
    "warm_up": "warm-up",
    "search": "search for the number of clusters",
    "refinement": "refinement",
    "conditioning": "conditioning",
    "writing": "while a checkpoint was written",
}


def render_kills():
    """Show where fits were killed, and how many of the resumed fits ended with other bits."""
    found = [read("reliability")[f"kills, {threads} threads"] for threads in (1, 2)]
    rows = [[title, *(one["at"].get(place, 0) for one in found)] for place, title in PLACES.items()]
    rows += [
        ["**kills**", *(one["kills"] for one in found)],
        ["fits that were resumed", *(one["fits"] for one in found)],
        ["**resumed fits that ended with other bits**", *(one["different"] for one in found)],
    ]
    return table(["killed in", "1 thread", "2 threads"], rows)


def render_processes():
    """Show kills of one of two processes, and what came of the fits that went on."""
    found = read("processes")
    rows = [
        ["**kills**", found["kills"]],
        *([f"kills, {PLACES.get(place, place)}", n] for place, n in sorted(found["at"].items())),
        ["kills, of the first process", found["of_the_first"]],
        ["times that the other process ended and told why", found["told"]],
        ["longest time until it ended", f"{found['longest_wait']:.1f} s"],
        ["fits that were resumed", found["fits"]],
        ["**fits that were lost**", found["lost"]],
        ["**resumed fits that ended with other bits**", found["different"]],
    ]
    return table(["measured", "value"], rows)


def render_rounds():
    """Show the memory and handles of a process over 200 rounds of fit, save, load and predict."""
    rounds = read("reliability")["rounds"]
    rows = [[name, values[0], values[-1], max(values)] for name, values in rounds.items()]
    return table(["in the process", "after the first round", "after 200 rounds", "at most"], rows)


def draw_rounds():
    """Draw memory over the rounds, and write the figure of the page."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    memory = read("reliability")["rounds"]["memory"]
    figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
    ax.plot(range(1, len(memory) + 1), memory)
    ax.set(xlabel="round", ylabel="memory (MiB)", ylim=(0, 1.2 * max(memory)))
    figure.savefig(RESULTS.parents[1] / "docs" / "figures" / "reliability_rounds.png", dpi=120)


def render_any_input():
    """Show how many inputs were refused, and how many led to a result."""
    counts = read("reliability")["any input"]
    kinds = dict.fromkeys(name.split(", ")[0] for name in counts)
    rows = [
        [kind, *(counts.get(f"{kind}, {outcome}", 0) for outcome in ("a result", "refused"))]
        for kind in kinds
    ]
    rows.append(["**all**", *(sum(row[i] for row in rows) for i in (1, 2))])
    return table(["input", "a result", "refused with a helpful message"], rows)


def render_load():
    """Show the figures on threads and on half a million images."""
    figures = read("reliability")
    mapped, threads = figures["500 000 mapped images"], figures["1 and 2 threads"]
    rows = [
        [
            "wrong predictions, with 8 threads at once",
            f"0 of {figures['predictions from 8 threads']}",
        ],
        [
            "500 000 memory-mapped images of 28 x 28 pixels, on the disk",
            f"{mapped['data_mib']} MiB",
        ],
        [
            "additional memory for them, one epoch and `predict`, compared with 2 000 images",
            f"{mapped['peak_above_mib']} MiB",
        ],
        ["largest relative difference of a loss between 1 and 2 threads", f"{threads['loss']:.1e}"],
        [
            "largest difference of a soft assignment between 1 and 2 threads",
            f"{threads['assignment']:.1e}",
        ],
    ]
    return table(["measured", "value"], rows)


def render_extremes():
    """Show the results of fits at the ends of the ranges."""
    rows = []
    for one in read("extremes")[1:]:
        if "stopped" in one:
            rows.append([one["case"], "", "", "", f"stopped: {one['stopped']}"])
            continue
        kept = "yes" if one["finite"] and one["in_range"] else "**no**"
        rows.append(
            [
                one["case"],
                kept,
                one["n_clusters"],
                f"{one['ari']:.2f}",
                "; ".join(one["warned"]),
            ]
        )
    return table(["case", "finite, in range", "k", "ARI", "message"], rows)


def render_mutants():
    """Show how many changes of the code the tests noticed."""
    found = read("mutants")
    share = found["killed"] / found["mutants"]
    lines = [f"{found['killed']} of {found['mutants']} ({share:.1%}) were noticed.\n"]
    if found["survivors"]:
        rows = []
        for one in found["survivors"]:
            before, after = (
                " ".join(line[1:].strip() for line in one["diff"] if line.startswith(sign))
                for sign in "-+"
            )
            shown = [f"`{text.replace('|', chr(92) + '|')}`" for text in (before, after)]
            rows.append([f"`{one['module']}`", *shown])
        lines.append(table(["module", "line", "not noticed when changed to"], rows))
    return "\n".join(lines)


TABLES = {
    "kills": render_kills,
    "processes": render_processes,
    "rounds": render_rounds,
    "load": render_load,
    "any_input": render_any_input,
    "extremes": render_extremes,
    "mutants": render_mutants,
}


if __name__ == "__main__":
    draw_rounds()
