"""The tables of ``docs/measured/distributed.md``: measured, and computed on paper from it."""

import math
import statistics

from benchmarks.pages._tables import read, table

PHASES = {"warm_up": "warm-up", "refinement": "refinement", "conditioning": "conditioning"}
FLOAT = 4  # bytes
# Assumptions, which are not measured. The page states them.
IN_A_MACHINE, BETWEEN_MACHINES = 300e9, 25e9  # bytes per second of an all-reduce
LATENCY = 30e-6  # seconds of one message
MULTIPLICATIONS = 30e12  # float32 operations per second of a GPU
IN_GPU = 3e12  # bytes per second that a GPU reads or writes
GPUS_IN_A_MACHINE = 8
PASSES = 8  # over the matrix of similarities, forward and backward
COLLECTIVES = 3  # in a step of the warm-up
N_FIT, N_EPOCHS = 1_000_000, 20
N_LARGE, N_CORES, EUROS_PER_CORE_HOUR = 100_000_000, 64, 0.04
N_GROUPS = 10


def render_measured():
    results = read("distributed")
    forms = {
        form: {phase: _median(found, phase) for phase in PHASES}
        for form, found in results["fits"].items()
    }
    rows = []
    for phase, title in PHASES.items():
        one, two = (form[phase] for form in forms.values())
        rows.append(
            [
                title,
                *(f"{each['images_per_second']:,.0f}" for each in (one, two)),
                f"{two['images_per_second'] / one['images_per_second']:.2f}",
                f"{two['exchange_share']:.0%}",
                f"{two['bytes_per_step'] / 1e6:.2f}",
            ]
        )
    columns = ["phase", *(f"images/s, {form}" for form in forms)]
    return table([*columns, "ratio", "time in the exchange", "MB a step"], rows)


def render_state():
    results = read("distributed")
    made_by, load = results["made_by"], results["load"]
    return (
        f"Measured with {results['n_samples']} images of 28 x 28 pixels, a batch of "
        f"{results['batch_size']}, torch {made_by['versions']['torch']}, on {made_by['machine']}. "
        f"The load of the machine was {load} at the start; an idle machine has 0.\n"
    )


def _median(found, phase):
    values = [each["phases"][phase] for each in found]
    return {name: statistics.median(each[name] for each in values) for name in values[0]}


def step(n_gpus, per_gpu):
    """Compute the parts of a step of the warm-up, in seconds, and the bytes of its exchange."""
    fit = next(iter(read("distributed")["fits"].values()))[0]
    measured = {
        one["batch_size"]: one["batch_size"] / one["images_per_second"]
        for one in read("devices")["epochs"]
        if (one["device"], one["precision"]) == ("cuda", "float32")
    }
    (small, fast), (large, slow) = sorted(measured.items())
    each = (slow - fast) / (large - small)
    compute = fast + (per_gpu - small) * each
    views = 2 * n_gpus * per_gpu
    gathered = views * fit["embedding_dim"] * FLOAT
    weights = fit["weights"] * FLOAT
    loss = 6 * views**2 * fit["embedding_dim"] / MULTIPLICATIONS + PASSES * _matrix(views) / IN_GPU
    exchange = 0.0
    if n_gpus > 1:
        speed = IN_A_MACHINE if n_gpus <= GPUS_IN_A_MACHINE else BETWEEN_MACHINES
        exchange = 2 * (n_gpus - 1) / n_gpus * (gathered + weights) / speed
        exchange += COLLECTIVES * 2 * math.log2(n_gpus) * LATENCY
    return {
        "gathered": gathered,
        "weights": weights,
        "matrix": _matrix(views),
        "compute": compute,
        "loss": loss,
        "exchange": exchange,
        "rate": n_gpus * per_gpu / (compute + exchange + loss),
    }


def _matrix(views):
    return views**2 * FLOAT


def render_paper():
    search = next(one["ours"] for one in read("speed") if one["name"] == "finders/auto")
    rows = []
    for n_gpus, per_gpu in ((1, 256), (8, 32), (8, 256), (64, 64), (64, 256)):
        parts = step(n_gpus, per_gpu)
        minutes = N_FIT * N_EPOCHS / parts["rate"] / 60
        rows.append(
            [
                n_gpus,
                f"{n_gpus * per_gpu:,}",
                f"{parts['gathered'] / 1e6:.2f}",
                f"{parts['weights'] / 1e6:.1f}",
                f"{parts['matrix'] / 1e6:,.0f}",
                *(f"{1000 * parts[name]:.1f}" for name in ("compute", "loss", "exchange")),
                f"{parts['rate']:,.0f}",
                f"{minutes:.1f}",
                f"{search / (60 * minutes + search):.0%}",
            ]
        )
    columns = [
        *("GPUs", "batch of all", "MB gathered", "MB of weights", "MB of similarities"),
        *("ms networks", "ms loss", "ms exchange", "images/s", "minutes of a fit"),
        "share of the search",
    ]
    return table(columns, rows)


def render_cost():
    assigned = read("distributed")["assigned_per_second"]
    rows = []
    for side, rates in assigned.items():
        for encoder, rate in rates.items():
            hours = N_LARGE / rate / 3600
            rows.append(
                [
                    f"{side} x {side}",
                    encoder,
                    f"{N_LARGE * int(side) ** 2 / 1e9:,.0f}",
                    f"{rate:,.0f}",
                    f"{hours:,.1f}",
                    f"{hours / N_CORES:.2f}",
                    f"{hours * EUROS_PER_CORE_HOUR:,.2f}",
                ]
            )
    columns = ["pixels", "encoder", "GB of images", "images/s of a core", "hours on a core"]
    return table([*columns, f"hours on {N_CORES} cores", "euros"], rows)


def render_bytes():
    dim = next(iter(read("distributed")["fits"].values()))[0]["embedding_dim"]
    rows = [
        ["labels, int64", f"{N_LARGE * 8 / 1e9:.1f}"],
        [f"soft assignments to {N_GROUPS} groups, float32", f"{N_LARGE * N_GROUPS * 4 / 1e9:.1f}"],
        [f"embedding of {dim} numbers, float32", f"{N_LARGE * dim * FLOAT / 1e9:.1f}"],
    ]
    return table(["result for 100 million images", "GB"], rows)


TABLES = {
    "docs/measured/distributed.md": {
        "state": render_state,
        "measured": render_measured,
        "paper": render_paper,
        "cost": render_cost,
        "bytes": render_bytes,
    }
}
