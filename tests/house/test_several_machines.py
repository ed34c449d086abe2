"""Recipes of docs/guide/several_machines.md are run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_cae.persistence import load, save

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "several_machines.md"
RECIPES = {
    section.partition("\n")[0]: blocks[0]
    for section in PAGE.read_text().split("\n## ")
    if (blocks := re.findall(r"^```python\n(.*?)^```", section, re.M | re.S))
}


def run(heading, names):
    exec(compile(RECIPES[heading], f"{PAGE.name}: {heading}", "exec"), names)
    return names


def test_torchrun(toy_images, tmp_path):
    short = (
        "**recommended(len(X), warm_up_epochs=2, refinement_epochs=1, conditioning_epochs=1, "
        "n_clusters=3)"
    )
    script = RECIPES["Train with torchrun"].replace("**recommended(len(X))", short)
    assert short in script
    (tmp_path / "train.py").write_text(script)
    np.save(tmp_path / "images.npy", toy_images[0])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", "train.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("in 2 processes") == 1  # the first says so
    model = load(tmp_path / "model.safetensors")
    assert model.provenance_["processes"] == 2
    np.testing.assert_array_equal(model.predict(toy_images[0]), model.labels_)


def test_training_on_a_dask_cluster(toy_images, make_quick, tmp_path):
    distributed = pytest.importorskip("distributed", reason="the recipe needs distributed")
    np.save(tmp_path / "images.npy", toy_images[0])
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        names = {
            "scheduler": cluster.scheduler_address,
            "clusterer": make_quick(),
            "path": tmp_path / "images.npy",
        }
        model = run("Train on a Dask cluster", names)["clusterer"]
        names["client"].close()
    assert model.provenance_["processes"] == 2
    assert model.labels_.shape == (96,)


@pytest.mark.parametrize("chunks", [(32, 16, 16), (32, 8, 16)], ids=["whole", "cut"])
def test_a_dask_array(toy_images, fitted, chunks):
    array = pytest.importorskip("dask.array", reason="the recipe needs dask")
    X = array.from_array(toy_images[0], chunks=chunks)
    labels = run("Assign images in a Dask array", {"X": X, "clusterer": fitted})["labels"]
    np.testing.assert_array_equal(labels.compute(scheduler="synchronous"), fitted.labels_)


@pytest.mark.slow  # Ray's processes take half a minute to start
def test_ray_data(toy_images, fitted, tmp_path):
    ray = pytest.importorskip("ray", reason="the recipe needs ray")
    pytest.importorskip("ray.data", reason="the recipe needs ray[data]")
    path = tmp_path / "model.safetensors"
    save(fitted, path)
    rows = [{"id": i, "image": image} for i, image in enumerate(toy_images[0])]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        images = ray.data.from_items(rows, override_num_blocks=6)
        labelled = run("Assign images with Ray Data", {"images": images, "path": path})["labelled"]
        labels = {row["id"]: row["label"] for row in labelled.take_all()}
    finally:
        ray.shutdown()
    np.testing.assert_array_equal([labels[i] for i in range(len(rows))], fitted.labels_)


def test_batches(toy_images, fitted):
    batches = torch.utils.data.DataLoader(torch.from_numpy(toy_images[0]), batch_size=20)
    names = {"np": np, "batches": batches, "clusterer": fitted}
    labels = run("Assign batches from anywhere", names)["labels"]
    np.testing.assert_array_equal(labels, fitted.labels_)


def test_every_recipe_is_tried():
    tests = Path(__file__).read_text()
    assert [heading for heading in RECIPES if f'"{heading}"' not in tests] == []
