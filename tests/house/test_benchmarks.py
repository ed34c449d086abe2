"""What the benchmarks' verdicts rest on."""

import json
import re
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

from sklearn_cae.datasets import make_toy_images

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS.parent)


def test_what_is_packed_comes_back():
    from benchmarks.quality.evaluation import judge, pack_clusters, unpack_clusters, unpack_right

    rng = np.random.default_rng(0)
    y_true, y_pred, labels = (rng.integers(3, size=21) for _ in range(3))
    judged = judge(y_true, y_pred)
    assert np.array_equal(unpack_right(judged["right"], 21), y_true == y_pred)
    assert judged["metrics"]["accuracy"] == np.mean(y_true == y_pred)
    assert np.array_equal(unpack_clusters(pack_clusters(labels)), labels)


def test_the_interval_covers_what_two_classifiers_differ_by():
    from benchmarks.quality.summary import bootstrap

    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        p = rng.uniform(0.6, 0.9, size=300)  # how easy an image is
        ours, theirs = (rng.random((3, 300)) < p + lead for lead in (0.05, 0.0))
        found = bootstrap(ours, theirs)
        assert found["low"] <= found["mean"] <= found["high"]
        covered += found["low"] <= 0.05 <= found["high"]
    assert covered >= 88


def test_images_are_drawn_for_both_alike():
    from benchmarks.quality.summary import bootstrap

    rights = (np.random.default_rng(0).random((1, 300)) < 0.8).astype(np.float32)
    assert bootstrap(rights, rights) == {"mean": 0, "low": 0, "high": 0}


def test_the_interval_is_that_of_the_middle_95_percent():
    from benchmarks.quality.summary import bootstrap

    rights = (np.arange(400) < 300)[None].astype(np.float32)
    found = bootstrap(rights, np.full((1, 400), 0.5))
    assert found["high"] - found["low"] == pytest.approx(
        2 * 1.96 * (0.75 * 0.25 / 400) ** 0.5, rel=0.1
    )


def test_equal_images_are_one_group():
    from benchmarks.quality.evaluation import equal_images

    X = np.random.default_rng(0).integers(0, 256, size=(40, 3, 3), dtype=np.uint8)
    X[[7, 30]] = X[3]
    groups = equal_images(X)
    assert len(set(groups)) == 38
    assert groups[3] == groups[7] == groups[30]


def test_table_1_is_of_the_settings_as_they_are():
    from benchmarks.quality.runs import read_runs
    from benchmarks.quality.settings import N_TRAIN, hash_of_setting, parameters, setting_of

    for run in read_runs():
        setting = setting_of(run["job"])
        if setting is None:
            assert run["hash"] is None
            continue
        n_samples = min(run["max_samples"] or N_TRAIN[run["dataset"]], N_TRAIN[run["dataset"]])
        now = hash_of_setting(parameters(setting, run["dataset"], n_samples))
        assert run["hash"] == now, (run["dataset"], run["job"], run["seed"])


def test_each_result_was_logged_with_its_setting():
    from benchmarks.quality.runs import read_log, read_runs

    def key(one, commit):
        return (*(one[name] for name in ("dataset", "job", "seed", "max_samples", "hash")), commit)

    logged = {key(one, one["commit"]) for one in read_log()}
    results = {key(one, one["made_by"]["commit"]) for one in read_runs()}
    assert not results - logged


def test_seeds_widen_the_interval():
    from benchmarks.quality.summary import bootstrap

    rights = np.repeat([[1.0], [0.8], [0.9]], 200, axis=1)  # seeds differ, images do not
    found = bootstrap(rights, np.full((1, 200), 0.85))
    assert found["low"] < found["mean"] - 0.04
    assert bootstrap(rights, rights[:1])["mean"] == pytest.approx(-0.1)


def test_rows_are_compared_with_their_like():
    from benchmarks.quality.summary import Row, are_rivals

    ours = Row("mnist", "test", "knn", "recommended", 60_000, "a")
    like = ours._replace(setting=None, hash=None, model="pixels_knn_euclidean")
    assert are_rivals(ours, like)
    assert are_rivals(ours, ours._replace(setting="paper", hash="b"))
    assert not are_rivals(ours, ours)
    assert not are_rivals(ours, like._replace(n_train=20_000))
    assert not are_rivals(ours, like._replace(model="pixels_kmeans"))
    assert not are_rivals(ours._replace(setting="paper"), ours)


def test_agreement_is_between_pairs_of_seeds():
    from benchmarks.quality.evaluation import pack_clusters
    from benchmarks.quality.summary import agreement_of_seeds

    labels = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])]
    run = {"dataset": "mnist", "job": "paper", "n_train": 4, "hash": "a"}
    runs = [{**run, "clusters": {"test": pack_clusters(each)}} for each in labels]
    ((row, found),) = agreement_of_seeds([*runs, run]).items()
    assert (row.model, row.split, row.setting) == ("agreement_seeds", "test", "paper")
    assert found[0] == 1.0
    assert max(found[1:]) < 0


def test_a_result_takes_the_place_of_earlier_ones_alone(monkeypatch, tmp_path):
    from benchmarks.quality import runs

    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs.jsonl")
    first, other, second = ({"job": job, "score": score} for job, score in ("a1", "b2", "a3"))
    runs.replace_runs([], first)
    runs.replace_runs([], other)
    runs.replace_runs(runs.find_runs({"job": "a"}), second)
    assert runs.read_runs() == [other, second]


def test_each_command_is_listed(capsys):
    from benchmarks.__main__ import main

    main()
    listed = re.findall(r"python -m (benchmarks\.[\w.]+)", capsys.readouterr().out)
    commands = [
        f"benchmarks.{path.parent.name}.{path.stem}"
        for path in BENCHMARKS.glob("*/*.py")
        if '__name__ == "__main__"' in path.read_text()
    ]
    assert sorted(listed) == sorted(commands)


def test_changes_of_the_ablations_name_what_exists():
    from benchmarks.quality.ablations import PATCHES

    for name, (target, _) in PATCHES.items():
        assert resolve_name(target) is not None, name


def test_each_class_has_its_share_of_a_site():
    from benchmarks.quality.scanner import draw_sites

    y = np.repeat([0, 1, 2, 3], 50)
    site = draw_sites(y, 0.8, np.random.default_rng(0))
    assert [site[y == label].mean() for label in range(4)] == [0.2, 0.8, 0.2, 0.8]
    assert len({tuple(site[y == label]) for label in (0, 2)}) == 2  # drawn anew


@pytest.mark.parametrize("effect", ["gamma", "border", "offset", "soft", "pen"])
def test_a_stronger_scanner_changes_more_and_only_its_own_images(effect):
    from benchmarks.quality.scanner import EFFECTS, plant

    X = make_toy_images(20, image_size=28, random_state=0).data
    site = np.arange(20) % 2
    changes = []
    for strength in EFFECTS[effect][1]:
        planted = plant(X, site, effect, strength)
        assert np.array_equal(planted[site == 0], X[site == 0])
        changes.append(np.abs(planted[site == 1].astype(int) - X[site == 1]).mean())
    assert 0 < changes[0] < changes[1] < changes[2]
    assert np.array_equal(plant(X, site, "none", 0), X)


def test_sites_have_the_same_mean_and_deviation_after_the_correction():
    from benchmarks.quality.scanner import per_site

    rng = np.random.default_rng(0)
    site = {"fitted": np.arange(80) % 2, "new": np.arange(6) % 2}
    features = {part: rng.normal(size=(len(one), 4)) for part, one in site.items()}
    for part, one in site.items():
        features[part] += 5 * one[:, None]
    features["fitted"][site["fitted"] == 1, 0] = 0  # a pixel of a dark border
    corrected = per_site(features, site)
    apart = [corrected["fitted"][site["fitted"] == one] for one in (0, 1)]
    np.testing.assert_allclose(apart[0].mean(axis=0), apart[1].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(apart[0].std(axis=0)[1:], apart[1].std(axis=0)[1:])
    assert np.abs(corrected["new"]).max() < 4


def test_groups_of_pixels_are_the_scanner_until_it_is_corrected(monkeypatch, tmp_path):
    from benchmarks.quality import scanner

    X, y = make_toy_images(200, n_classes=2, image_size=28, random_state=0, return_X_y=True)
    monkeypatch.setattr(scanner, "load", lambda name: (X, y))
    monkeypatch.setattr(scanner, "conditions", lambda name: [("offset", 0.8, 0.5)])
    monkeypatch.setattr(scanner, "describe_run", lambda *packages: None)
    path = tmp_path / "results.json"
    options = "--sets mnist --rows pixels kmeans --samples 40 --results".split()
    monkeypatch.setattr("sys.argv", ["scanner", *options, str(path)])
    scanner.main()
    found = json.loads(path.read_text())
    for one in found:
        is_corrected = one["correction"] == "per_site"
        assert (one["new"]["nmi_site"] < 0.1) == is_corrected, one
        assert (one["new"]["knn_site"] < 0.8) == is_corrected, one
    assert len(found) == 4
    scanner.main()
    assert json.loads(path.read_text()) == found  # nothing was fitted again


def test_new_images_of_a_scanner_are_others(monkeypatch):
    from benchmarks.quality import scanner

    X, y = make_toy_images(300, image_size=28, random_state=0, return_X_y=True)
    monkeypatch.setattr(scanner, "load", lambda name: (X, y))
    drawn = scanner.draw("mnist", seed=0, n_samples=90)
    seen, new = ({image.tobytes() for image in drawn[part][0]} for part in scanner.PARTS)
    assert len(seen) == len(new) == 90
    assert not seen & new
