"""A saved model knows how its images were read."""

import pytest

from sklearn_cae import load, save
from sklearn_cae.images import Reading, load_reading
from sklearn_cae.persistence import LoadError

READING = Reading(size=(16, 16), frames=3, window=(-1000.0, 400.0), color="grey", bits=12)


def test_a_reading_comes_back_with_its_model(fitted, toy_images, tmp_path):
    save(fitted, tmp_path / "model", reading=READING)
    assert load_reading(tmp_path / "model") == READING
    assert (load(tmp_path / "model").predict(toy_images[0]) == fitted.labels_).all()


def test_a_model_without_a_reading_is_named(fitted, tmp_path):
    save(fitted, tmp_path / "model")
    with pytest.raises(ValueError, match=r"model must hold the reading .* reading=\.\.\."):
        load_reading(tmp_path / "model")


def test_a_damaged_file_is_named(fitted, tmp_path):
    save(fitted, tmp_path / "model", reading=READING)
    content = (tmp_path / "model").read_bytes()
    (tmp_path / "model").write_bytes(content.replace(b"frames", b"framez"))
    with pytest.raises(LoadError, match="damaged"):
        load_reading(tmp_path / "model")


def test_what_is_no_reading_is_refused_before_anything_is_written(fitted, tmp_path):
    with pytest.raises(TypeError, match="reading must be a Reading or None, got dict"):
        save(fitted, tmp_path / "model", reading={"size": 16})
    assert not (tmp_path / "model").exists()
