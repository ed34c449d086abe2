#!/usr/bin/env bash
# skorch's Checkpoint, told to write safetensors, writes no parameters for a channels-last network,
# and raises nothing.
#
# Versions: Python 3.11, skorch 1.4.0, torch 2.14.1, safetensors 0.8.0, scikit-learn 1.9.1.
# Guess: a checkpoint that cannot write its parameters ends the training, or at least warns; so that
#   the folder holds a file of parameters after a training that ended well.
# Seen: the weights of a convolution in torch.channels_last are not contiguous, and safetensors
#   refuses such tensors with a ValueError. skorch puts another message in its place, which blames
#   generic Python objects. Checkpoint catches the exception, and tells it through its `sink` alone,
#   which does nothing by default. The training ends well, the history says "event_cp", and there is
#   no file of parameters. The same network in the default layout is written.
# Way out: write contiguous copies (override save_params), or pass sink=print and read it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet skorch==1.4.0 torch==2.14.1 safetensors==0.8.0 scikit-learn==1.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import os
import warnings
from importlib.metadata import version

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Checkpoint

for name in ("skorch", "torch", "safetensors", "scikit-learn"):
    print(name, version(name))


def train(memory_format):
    """Train one epoch; return what the folder holds, and what was told."""
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 4, 3, padding=1).to(memory_format=memory_format)
    folder, told = f"checkpoint_{memory_format}".replace("torch.", ""), []
    checkpoint = Checkpoint(
        monitor=None,
        f_optimizer=None,
        f_history=None,
        dirname=folder,
        use_safetensors=True,
        sink=told.append,
    )
    net = NeuralNet(
        module,
        criterion=torch.nn.MSELoss,
        train_split=None,
        max_epochs=1,
        verbose=0,
        device="cpu",
        callbacks=[checkpoint],
    )
    X = np.random.RandomState(0).rand(8, 3, 6, 6).astype("float32")
    y = np.zeros((8, 4, 6, 6), dtype="float32")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        net.fit(X, y)
    print(memory_format, "->", sorted(os.listdir(folder)), "event_cp:", net.history[-1, "event_cp"])
    print("  warnings:", [str(w.message) for w in said], "sink:", told)
    return sorted(os.listdir(folder)), said, told


usual, _, _ = train(torch.contiguous_format)
lost, said, told = train(torch.channels_last)
assert "params.pt" in usual and "params.pt" not in lost, (usual, lost)
assert not said, said
assert any("Unable to save module state" in line for line in told), told
assert not any("contiguous" in line for line in told), told
PY
echo "as stated"
