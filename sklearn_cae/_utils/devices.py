"""Devices: which one, what it multiplies well, and how tensors get there."""

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device; MPS would still read it when it is gone, unless it waits."""
    return tensor.to(device, non_blocking=device.type == "cuda")


def choose_device(device):
    """Resolve "auto": CUDA, then MPS, then the CPU."""
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                "device must be 'auto' or a device of torch that is there, such as 'cpu' or "
                f"'cuda:0', got {device!r}: {error}"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def is_there(device):
    """Whether a device can be had, without starting CUDA, after which a process cannot fork."""
    if device == "auto":
        return True
    try:
        device = torch.device(device)
        if device.type == "cuda":
            return (device.index or 0) < torch.cuda.device_count()
        choose_device(device)
    except (RuntimeError, ValueError):
        return False
    return True


def _multiplies_bfloat16():
    # Older torch cannot say; float32 is right everywhere.
    return getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)


def choose_precision(precision, device):
    """Resolve "auto": bfloat16 where the hardware multiplies it, float32 elsewhere."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and _multiplies_bfloat16():
        return "bfloat16"
    return "float32"
