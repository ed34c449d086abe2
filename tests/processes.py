"""Two processes for tests: each runs a function of its rank, and hands back what it returns."""

import multiprocessing
import pickle
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

#: One process imports what takes long, and the others are forked from it.
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_PRELOADED = ["processes", "sklearn_cae._estimator", "torch._dynamo", "kneed"]


def in_processes(function, folder, *args, n=2, one_dies=False):
    """Call `function(rank, *args)` in processes of one group; return what each returned.

    If one of them may die, what it returned is None. The others are left to end by themselves.
    """
    folder = Path(folder)
    if START == "forkserver":
        multiprocessing.set_forkserver_preload(_PRELOADED)
    group = mp.start_processes(
        _work, (n, function, folder, args), nprocs=n, join=False, start_method=START
    )
    if one_dies:
        for process in group.processes:
            process.join()
    else:
        while not group.join():
            pass
    files = [folder / f"{rank}.pickle" for rank in range(n)]
    return [pickle.loads(file.read_bytes()) if file.exists() else None for file in files]


def _work(rank, n, function, folder, args):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=n
    )
    result = function(rank, *args)
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(result))
    dist.destroy_process_group()
