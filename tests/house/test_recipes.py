"""Every recipe of docs/guide/recipes.md is run as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_cae import ClusterLabelMapper
from sklearn_cae.datasets import make_toy_images

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "recipes.md"
RECIPES = dict(re.findall(r"^## (.*?)\n.*?^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S))


@pytest.fixture
def run(toy_images, make_quick, tmp_path, monkeypatch):
    """Run a recipe, by its heading, in an empty folder; give its names."""

    def run(heading, *packages, **names):
        for package in packages:
            pytest.importorskip(package, reason=f"the recipe needs {package}")
        monkeypatch.chdir(tmp_path)
        X, y = toy_images
        names = {"X": X, "y": y, "clusterer": make_quick(), **names}
        names["pipeline"] = make_pipeline(names["clusterer"], ClusterLabelMapper())
        exec(compile(RECIPES[heading], f"{PAGE.name}: {heading}", "exec"), names)
        return names

    return run


@pytest.fixture
def one_thread():
    """What a worker has, so that equal means equal bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check_search(names):
    search = names["search"]
    here = GridSearchCV(search.estimator, search.param_grid, cv=2).fit(names["X"], names["y"])
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


def test_images_in_a_folder(run, tmp_path):
    pytest.importorskip("torchvision", reason="the recipe needs torchvision")
    Image = pytest.importorskip("PIL.Image", reason="files are written with Pillow")
    images = make_toy_images(40, image_size=40, random_state=0)["data"]
    for i, image in enumerate(images):
        folder = tmp_path / "images" / ("left" if i < 20 else "right")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[: 32 + i]).save(folder / f"{i:02}.png")  # of many sizes
    names = run("Images in a folder, too many for memory")
    assert names["X"].shape == (40, 1, 32, 32)
    assert names["y"].tolist() == [0] * 20 + [1] * 20
    assert names["clusterer"].labels_.shape == (40,)


@pytest.mark.usefixtures("one_thread")
def test_search_with_dask(run):
    distributed = pytest.importorskip("distributed", reason="the recipe needs distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        names = run("Grid search over several machines: Dask", scheduler=cluster.scheduler_address)
    check_search(names)


@pytest.mark.usefixtures("one_thread")
def test_search_with_ray(run):
    ray = pytest.importorskip("ray", reason="the recipe needs ray")
    try:
        names = run("Grid search over several machines: Ray", address="local")
    finally:
        ray.shutdown()
    check_search(names)


def test_scikit_learns_callbacks(run):
    heading = "Following a training with scikit-learn's callbacks"
    names = run(heading, "sklearn.callback", "rich", "pandas")
    assert names["scores"]["normalized_mutual_info_score"].between(0, 1).all()
    assert len(names["scores"]) == 4  # three epochs, and the fit


def test_tensorboard(run, tmp_path):
    names = run("Following a training with TensorBoard", "tensorboard")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    losses = []
    for phase in ("warm_up", "conditioning"):
        events = accumulator.EventAccumulator(
            str(tmp_path / "runs/temperature-0.5" / phase)
        ).Reload()
        (tag,) = [tag for tag in events.Tags()["scalars"] if tag.endswith("train_loss")]
        losses += [event.value for event in events.Scalars(tag)]
    expected = [row["train_loss"] for row in names["clusterer"].history_]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)  # kept as float32


def test_mlflow(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the recipe needs mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database needs more packages
    mlflow.set_tracking_uri(f"file:{tmp_path}/runs")
    names = run("Following a training with MLflow")
    client = mlflow.MlflowClient()
    run_id = names["run"].info.run_id
    losses = [
        point.value
        for phase in ("warm_up", "conditioning")
        for point in client.get_metric_history(run_id, f"train_loss_{phase}")
    ]
    assert losses == [row["train_loss"] for row in names["clusterer"].history_]
    assert client.get_run(run_id).data.params["n_clusters"] == "3"


def test_onnx(run):
    names = run("A model without Python: ONNX", "onnx", "onnxscript", "onnxruntime")
    clusterer = names["clusterer"]
    np.testing.assert_allclose(
        names["soft_assignment"], clusterer.predict_proba(names["X"]), atol=1e-5
    )
    np.testing.assert_array_equal(names["cluster"], clusterer.labels_)


def test_every_recipe_is_tried():
    tests = Path(__file__).read_text()
    assert len(RECIPES) == PAGE.read_text().count("\n## ")
    assert [heading for heading in RECIPES if f'"{heading}"' not in tests] == []
