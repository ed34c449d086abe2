"""Local random numbers: the caller's generators are neither used nor seeded."""

import threading
from contextlib import ExitStack, contextmanager

import numpy as np
from sklearn.utils import check_random_state

_GLOBAL_RNG = threading.RLock()


def local_random_state(random_state):
    """Return a RandomState as ``check_random_state`` does, but None is a new unseeded one."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def draw_seed(rng):
    """Draw a seed for torch, or for another estimator, from a RandomState."""
    return int(rng.randint(np.iinfo(np.int32).max))


def set_state(rng, state):
    """Set the state of a RandomState, or raise if it is invalid.

    NumPy does not check all of it, and would read beyond the keys.
    """
    name, keys, position, has_gauss, gauss = state
    keys = np.asarray(keys, dtype=np.uint32)
    if keys.shape != (624,) or not 0 <= position <= 624 or has_gauss not in (0, 1):
        raise ValueError("a random state is out of its range")
    rng.set_state((name, keys, position, has_gauss, gauss))


def random_state_names(params):
    """Return the names of the parameters that seed an estimator, including nested ones."""
    return [name for name in params if name.rpartition("__")[2] == "random_state"]


@contextmanager
def plain_torch():
    """Compute with torch's default settings, inside any contexts of the caller.

    The caller's default device, autocast and inference mode have no effect. Tensors are created on
    the CPU, where the generators are, and gradients can be computed.
    """
    import torch  # here, because data sets and plots draw random numbers without torch

    with ExitStack() as contexts:
        if torch.get_default_device().type != "cpu":  # the context slows down each operation
            contexts.enter_context(torch.device("cpu"))
        if torch.is_autocast_enabled("cpu"):
            contexts.enter_context(torch.autocast("cpu", enabled=False))
        if torch.is_autocast_enabled("cuda"):
            contexts.enter_context(torch.autocast("cuda", enabled=False))
        if torch.is_inference_mode_enabled():
            contexts.enter_context(torch.inference_mode(False))
        contexts.enter_context(torch.enable_grad())
        yield


@contextmanager
def forked_rng(seed, device=None):
    """Seed torch's global generators, and restore them afterwards.

    The generators are the CPU's and, if `device` is on CUDA, the device's. Modules draw their
    initial weights from them, and users' own callables may use them. Other threads wait at this
    context.
    """
    import torch

    devices = [device] if device is not None and device.type == "cuda" else []
    with _GLOBAL_RNG, torch.random.fork_rng(devices=devices):
        torch.random.default_generator.manual_seed(seed)
        for cuda_device in devices:
            with torch.cuda.device(cuda_device):
                torch.cuda.manual_seed(seed)
        yield
