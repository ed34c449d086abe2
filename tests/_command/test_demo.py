"""``sklearn-cae demo``, as a user calls it."""

import contextlib
import io
import json
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from sklearn_cae import load, recommended
from sklearn_cae.__main__ import main
from sklearn_cae.datasets import load_digit_images

PICTURES = {"embedding", "prototypes", "reconstructions", "history"}


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """Folder and printed text of a short run on the bundled digits."""
    folder = tmp_path_factory.mktemp("digits")
    printed = subprocess.run(
        [
            *[sys.executable, "-m", "sklearn_cae", "demo", "--setting", "paper", "--epochs", "1"],
            *["--max-samples", "300", "--n-clusters", "elbow", "--seed", "3", "--output", folder],
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return folder, printed


@pytest.fixture(scope="module")
def both_run(tmp_path_factory):
    """Folder and printed text of a short run in both settings."""
    folder, printed = tmp_path_factory.mktemp("both"), io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(
            [
                *["demo", "--epochs", "1", "--max-samples", "200", "--n-clusters", "4"],
                *["--output", str(folder)],
            ]
        )
    return folder, printed.getvalue()


def test_every_picture_is_written(digits_run):
    folder, printed = digits_run
    names = {path.stem for path in folder.glob("*.png")}
    assert names == PICTURES | {"elbow"}
    for name in names:
        picture = matplotlib.image.imread(folder / f"{name}.png")
        assert picture.shape[0] > 200
        assert picture.std() > 0.01  # something is drawn
        assert f"{name}.png" in printed


def test_scores_stand_beside_their_baselines(digits_run):
    folder, printed = digits_run
    results = json.loads((folder / "scores.json").read_text())
    rows = {row["model"]: row for row in results["scores"]}
    assert list(rows) == [
        *["majority class", "stat", "kNN", "linear, embedding", "linear, projection"],
        *["pixels, KMeans", "pixels, kNN", "pixels, linear"],
    ]
    assert all(name in printed for name in rows)
    assert rows["majority class"]["accuracy"] == pytest.approx(0.1, abs=0.01)
    assert rows["pixels, kNN"]["accuracy"] > 0.8
    assert results["options"]["seed"] == 3
    assert results["clusters"]["test"]["n_clusters"] <= results["n_clusters"]
    assert {name for name, row in rows.items() if row["n_clusters"]} == {"stat", "pixels, KMeans"}


def test_the_model_can_be_loaded_and_scores_as_reported(digits_run):
    folder, _ = digits_run
    pipeline = load(folder / "model.safetensors")
    digits = load_digit_images()
    _, X_test, _, y_test = train_test_split(
        digits.data,
        digits.target_names[digits.target],
        test_size=0.25,
        stratify=digits.target,
        random_state=3,
    )
    results = json.loads((folder / "scores.json").read_text())
    (stat,) = [row for row in results["scores"] if row["model"] == "stat"]
    assert pipeline.score(X_test, y_test) == pytest.approx(stat["accuracy"])


def test_chest_x_rays(data_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKLEARN_CAE_DATA", str(data_root))
    main(
        [
            *["demo", "--dataset", "pneumoniamnist", "--setting", "paper", "--epochs", "1"],
            *["--max-samples", "200", "--n-clusters", "3", "--output", str(tmp_path / "xrays")],
        ]
    )
    results = json.loads((tmp_path / "xrays" / "scores.json").read_text())
    assert {row["split"] for row in results["scores"]} == {"val", "test"}
    assert results["n_clusters"] == 3
    assert results["number_found"] is None
    assert {path.stem for path in (tmp_path / "xrays").glob("*.png")} == PICTURES
    assert "majority class" in capsys.readouterr().out
    pipeline = load(tmp_path / "xrays" / "model.safetensors")
    assert set(pipeline.classes_) == {"normal", "pneumonia"}


def test_the_recommended_setting(both_run):
    folder, printed = both_run[0] / "recommended", both_run[1]
    assert {path.stem for path in folder.glob("*.png")} == PICTURES
    assert "200 images, an encoder that needs no training, a warm-up" in printed
    rows = json.loads((folder / "scores.json").read_text())["scores"]
    models = [row["model"] for row in rows]
    assert "linear, embedding" in models
    assert "linear, projection" not in models
    clusterer = load(folder / "model.safetensors")[0]
    params = {**recommended(200), "n_clusters": 4}
    params |= dict.fromkeys(["warm_up_epochs", "refinement_epochs", "conditioning_epochs"], 1)
    found = clusterer.get_params(deep=False)
    assert {name: repr(found[name]) for name in params} == {
        name: repr(value) for name, value in params.items()
    }


def test_both_settings_stand_beside_each_other(both_run):
    folder, printed = both_run
    assert "a warm-up of 1 epochs instead of 50" in printed
    table = printed[printed.index("Accuracy (balanced) on the test split") :].splitlines()
    assert table[0].split()[-2:] == ["recommended", "paper"]
    for setting, place in (("recommended", 0), ("paper", 1)):
        results = json.loads((folder / setting / "scores.json").read_text())
        assert results["options"]["setting"] == setting
        scores = {row["model"]: row for row in results["scores"]}
        for model in ("majority class", "stat", "pixels, KMeans", "kNN", "linear, embedding"):
            (line,) = [line for line in table if line.startswith(f"  {model} ")]
            assert re.findall(r"0\.\d+ \(", line)[place] == f"{scores[model]['accuracy']:.3f} ("
    assert load(folder / "paper" / "model.safetensors")[0].get_params()["optimizer"] == "lars"


def test_trainings_are_short_unless_full_ones_are_asked_for():
    from sklearn_cae._command import _parse, demo

    def epochs_of(*arguments, n_samples=5000):
        options = _parse(["demo", *arguments])
        of_data = {"augmentation": "digits", "spatial_dims": 2}
        shape = (n_samples, 28, 28)
        clusterer = demo._make_clusterer("recommended", options, of_data, shape)
        return clusterer.warm_up_epochs, clusterer.refinement_epochs, clusterer.conditioning_epochs

    full = recommended(5000)
    assert epochs_of("--full") == (64, full["refinement_epochs"], full["conditioning_epochs"])
    assert epochs_of("--epochs", "7") == (7, 7, 7)
    assert sum(epochs_of()) < 0.4 * sum(epochs_of("--full"))
    # A fixed encoder makes the full training short.
    assert epochs_of(n_samples=1000) == epochs_of("--full", n_samples=1000)


def test_volumes_are_fitted_as_volumes(tmp_path, monkeypatch):
    from sklearn_cae._command import _parse, demo

    monkeypatch.setenv("SKLEARN_CAE_DATA", str(tmp_path))
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((2, 28, 28, 28), np.uint8)
        arrays[f"{split}_labels"] = np.array([[0], [1]], np.uint8)
    np.savez(tmp_path / "nodulemnist3d.npz", **arrays)
    options = _parse(["demo", "--dataset", "nodulemnist3d"])
    splits, of_data = demo._load(options)
    for setting in ("recommended", "paper"):
        clusterer = demo._make_clusterer(setting, options, of_data, splits["train"][0].shape)
        assert clusterer.spatial_dims == 3
        assert clusterer.train_encoder


def test_mnist_is_known(data_root, tmp_path, monkeypatch):
    from sklearn_cae._command import _parse, demo

    if not (data_root / "MNIST").exists():
        pytest.skip(f"MNIST is not in {data_root}; set SKLEARN_CAE_DATA to its folder")
    monkeypatch.setenv("SKLEARN_CAE_DATA", str(data_root))
    splits, of_data = demo._load(_parse(["demo", "--dataset", "mnist", "--max-samples", "50"]))
    assert of_data == {"augmentation": "digits", "spatial_dims": 2}
    assert {split: len(X) for split, (X, _) in splits.items()} == {"train": 50, "test": 10_000}


def test_unknown_data_sets_are_named(tmp_path):
    with pytest.raises(SystemExit, match=r"sklearn-cae: .*brainmnist"):
        main(["demo", "--dataset", "brainmnist", "--output", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-clusters", "many"], "--n-clusters: must be a whole number from 1 on, elbow or auto"),
        (["--n-clusters", "0"], "--n-clusters: must be a whole number from 1 on, elbow or auto"),
        (["--max-samples", "-5"], "--max-samples: must be a whole number from 1 on, got '-5'"),
        (["--epochs", "0"], "--epochs: must be a whole number from 1 on, got '0'"),
    ],
)
def test_numbers_that_are_none_are_named(capsys, arguments, message):
    with pytest.raises(SystemExit):
        main(["demo", *arguments])
    assert message in capsys.readouterr().err


def test_what_would_fail_after_training_fails_before(tmp_path, monkeypatch):
    from sklearn_cae import ContrastiveAutoencoderClusterer

    def fit(*_):
        raise AssertionError("training started")

    monkeypatch.setattr(ContrastiveAutoencoderClusterer, "fit", fit)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="--output must be a writable folder"):
        main(["demo", "--output", str(tmp_path / "file")])
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)  # as of a folder that is another user's
        with pytest.raises(SystemExit, match="--output must be a writable folder, got"):
            main(["demo", "--output", str(tmp_path)])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match=r"sklearn_cae\[plot\]"):
        main(["demo", "--output", str(tmp_path)])


def test_a_model_is_kept_whatever_fails_after_training(tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("sklearn_cae._command.demo._evaluate", fail)
    with pytest.raises(MemoryError):
        main(["demo", "--epochs", "1", "--n-clusters", "3", "--output", str(tmp_path)])
    assert (
        load(tmp_path / "recommended" / "model.safetensors").predict(load_digit_images().data).size
        == 1797
    )


def test_several_labels_an_image_are_refused(monkeypatch, tmp_path):
    import numpy as np
    from sklearn.utils import Bunch

    from sklearn_cae import datasets

    several = Bunch(data=np.zeros((4, 28, 28)), target=np.zeros((4, 14)), spatial_dims=2)
    monkeypatch.setattr(datasets, "load_medmnist", lambda *_: several)
    with pytest.raises(SystemExit, match="one label per image, got several"):
        main(["demo", "--dataset", "chestmnist", "--output", str(tmp_path)])
