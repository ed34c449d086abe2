"""Which device, and which precision on it."""

import torch

from sklearn_cae._utils import devices


def test_devices_and_precisions(monkeypatch):
    assert devices.choose_device("cpu").type == "cpu"
    assert devices.choose_precision("bfloat16", torch.device("cpu")) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "mps"
    assert devices.choose_precision("auto", torch.device("mps")) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "cuda"
    for supported, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda yes=supported, **_: yes)
        monkeypatch.setattr(devices, "_multiplies_bfloat16", lambda yes=supported: yes)
        assert devices.choose_precision("auto", torch.device("cuda")) == precision
        assert devices.choose_precision("auto", torch.device("cpu")) == precision
