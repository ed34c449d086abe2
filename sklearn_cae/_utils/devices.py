"""Choice of the device and its precision, and copies of tensors to a device."""

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device.

    Only copies to CUDA do not wait. A copy to MPS could otherwise read a tensor that was deleted.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def choose_device(device):
    """Resolve "auto": CUDA, then MPS, then the CPU."""
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                "device must be 'auto' or an available device of torch, such as 'cpu' or "
                f"'cuda:0', got {device!r}: {error}"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def is_there(device):
    """Return whether a device is available.

    CUDA is not started, because the process could not fork afterwards.
    """
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
    # Older torch has no such function. float32 works everywhere.
    return getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)


#: The width of a map shrinks to 1 in some network, if an image is this wide or narrower.
_NARROW = 8


def choose_precision(precision, device, sample_shape=()):
    """Resolve "auto": bfloat16 if the hardware multiplies it, otherwise float32.

    On a CPU it is float32, too, for images of a `sample_shape` that is a narrow strip. In torch
    2.14 some convolutions in bfloat16 read memory that was never written, and may return NaN: those
    whose result is one pixel wide, and longer.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and _multiplies_bfloat16() and not _is_strip(sample_shape):
        return "bfloat16"
    return "float32"


def _is_strip(sample_shape):
    """Return whether the last side is so much shorter than another one that a map is 1 wide."""
    if len(sample_shape) < 3:
        return False
    width, longest = sample_shape[-1], max(sample_shape[1:])
    return width < longest and width <= max(_NARROW, longest / 4)
