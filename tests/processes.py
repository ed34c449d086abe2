"""Two processes for tests: each runs a function of its rank, and hands back what it returns."""

import pickle
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def in_processes(function, folder, *args, n=2):
    """Call `function(rank, *args)` in processes of one group; return what each returned."""
    folder = Path(folder)
    mp.spawn(_work, (n, function, folder, args), nprocs=n)
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(n)]


def _work(rank, n, function, folder, args):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=n
    )
    result = function(rank, *args)
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(result))
    dist.destroy_process_group()
