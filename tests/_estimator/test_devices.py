"""Which device, and which precision on it."""

import pytest
import torch

from sklearn_cae._utils import devices

SHAPE = (1, 28, 28)


def test_devices_and_precisions(monkeypatch):
    assert devices.choose_device("cpu").type == "cpu"
    assert devices.choose_precision("bfloat16", torch.device("cpu"), SHAPE) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "mps"
    assert devices.choose_precision("auto", torch.device("mps"), SHAPE) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "cuda"
    for supported, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda yes=supported, **_: yes)
        monkeypatch.setattr(devices, "_multiplies_bfloat16", lambda yes=supported: yes)
        assert devices.choose_precision("auto", torch.device("cuda"), SHAPE) == precision
        assert devices.choose_precision("auto", torch.device("cpu"), SHAPE) == precision


@pytest.mark.parametrize(
    ("shape", "precision"),
    [
        ((1, 300, 9), "float32"),
        ((3, 16, 8), "float32"),
        ((1, 16, 28, 7), "float32"),
        ((1, 9, 300), "bfloat16"),
        ((1, 8, 8), "bfloat16"),
        ((1, 28, 16), "bfloat16"),
        ((30,), "bfloat16"),
    ],
)
def test_strips_are_trained_in_float32(monkeypatch, shape, precision):
    """Convolutions in bfloat16 whose result is one pixel wide may return NaN."""
    monkeypatch.setattr(devices, "_multiplies_bfloat16", lambda: True)
    assert devices.choose_precision("auto", torch.device("cpu"), shape) == precision
