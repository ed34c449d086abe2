"""Shares of the processor's time in a step of the warm-up, by operation.

Run from the repository, on an idle machine:

    python -m benchmarks.speed.profile_step

Prints the shares and writes ``benchmarks/results/profile_step.json``.
"""

import json
import time

import torch

from benchmarks._common import RESULTS, describe_run
from benchmarks.speed.bare import SHAPE, WarmUp
from sklearn_cae.augmentations import PRESETS

KINDS = {
    "convolutions, backward": ("aten::convolution_backward",),
    "convolutions, forward": ("aten::_convolution", "aten::mkldnn_convolution"),
    "GELU, forward and backward": ("aten::gelu", "aten::gelu_backward"),
    "matrix products": ("aten::mm", "aten::addmm"),
}
N_STEPS = 30


def main():
    samples, generator = torch.rand(512, *SHAPE), torch.Generator().manual_seed(0)
    bare = WarmUp(samples, "bfloat16", torch.channels_last)
    times = {"views": 0.0, "step": 0.0}
    for _ in range(N_STEPS):
        started = time.perf_counter()
        PRESETS["paper"](samples, generator)
        drawn = time.perf_counter()
        bare.step()
        times["views"] += drawn - started
        times["step"] += time.perf_counter() - drawn
    with torch.profiler.profile() as profile:
        for _ in range(N_STEPS):
            bare.step()
    events = {event.key: event for event in profile.key_averages()}
    total = sum(event.self_cpu_time_total for event in events.values())
    step = times["step"] / sum(times.values())
    shares = {
        kind: step * sum(events[key].self_cpu_time_total for key in keys) / total
        for kind, keys in KINDS.items()
    }
    shares["views"] = 1 - step
    shares["LARS"] = step * events["Optimizer.step#LARS.step"].cpu_time_total / total
    shares["loss, casts, batch statistics and the rest"] = 1 - sum(shares.values())
    for kind, share in shares.items():
        print(f"{kind:<45} {share:6.1%}")
    results = {**describe_run(), "precision": "bfloat16", "shares": shares}
    (RESULTS / "profile_step.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
