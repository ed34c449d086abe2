"""``sklearn-cae fit`` and ``sklearn-cae assign``, as a user calls them."""

import json
import os
import shutil
import sys

import pandas as pd
import pytest
from fresh import run_fresh
from PIL import Image

from sklearn_cae import load, save
from sklearn_cae.__main__ import main

WRITTEN = {
    *("report.html", "groups.csv", "patients.csv", "metadata.csv", "failures.csv"),
    *("model.safetensors", "check.txt", "check.csv", "scores.json", "README.txt"),
    *("first_look.png", "prototypes.png", "embedding.png", "reconstructions.png", "history.png"),
    *("cache", "checkpoints"),
}


def write(folder, images):
    """Write images as PNG files of sites, 5 per patient."""
    for index, image in enumerate(images):
        path = folder / ("north", "south")[index % 2] / f"P{index // 5:02d}_{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture(scope="module")
def cohort(toy_images, tmp_path_factory):
    """A folder of 40 images, two files that are none, and a table."""
    folder = tmp_path_factory.mktemp("cohort")
    write(folder / "images", toy_images[0][:40])
    (folder / "images" / "note.dcm").write_text("not an image")
    content = next((folder / "images" / "north").iterdir()).read_bytes()
    (folder / "images" / "cut.png").write_bytes(content[:60])
    table = pd.DataFrame({"file": [f"P{i // 5:02d}_{i}.png" for i in range(40)]})
    table["patient_id"], table["sex"] = table.file.str[:3], ["F", "M"] * 20
    table[:38].to_csv(folder / "table.csv", index=False)
    return folder


def fit(cohort, output, *more, epochs=1):
    table = ["--metadata", str(cohort / "table.csv"), "--patient", "patient_id"]
    common = ["--size", "16", "--jobs", "1", "--epochs", str(epochs), "--n-clusters", "2"]
    main(["fit", str(cohort / "images"), *table, *common, "--output", str(output), *more])


@pytest.fixture(scope="module")
def done(cohort, tmp_path_factory):
    """Folder of the results of a fit."""
    output = tmp_path_factory.mktemp("results")
    fit(cohort, output, "--modality", "ultrasound", epochs=2)
    return output


def test_everything_is_written(done):
    assert {path.name for path in done.iterdir()} == WRITTEN | {"unmatched.csv", "check.png"}
    listed = (done / "README.txt").read_text()
    assert all(name in listed for name in WRITTEN - {"README.txt"})


def test_each_image_has_a_row_and_a_group(done):
    groups, clusterer = pd.read_csv(done / "groups.csv"), load(done / "model.safetensors")
    columns = ["file", "frame", "patient", "group", "probability", "margin", "doubtful"]
    assert list(groups.columns) == [*columns, "novelty", "unusual"]
    assert groups.group.tolist() == clusterer.labels_.tolist()
    files = groups.file.tolist()
    assert len(files) == 40
    assert files.index("north/P00_2.png") < files.index("north/P02_10.png")
    of_table = groups.set_index("file")["patient"]
    assert of_table["north/P02_10.png"] == "P02"
    assert of_table.isna().sum() == 2  # not in the table


def test_what_the_check_found_is_told_before_the_training(cohort, tmp_path, capsys, monkeypatch):
    shutil.copytree(cohort / "images", tmp_path / "images")
    shutil.copy(tmp_path / "images/north/P00_0.png", tmp_path / "images/north/copy.png")
    shutil.copy(cohort / "table.csv", tmp_path)
    monkeypatch.setattr("sklearn_cae._command.fit._look_first", lambda *_: None)
    fit(tmp_path, tmp_path / "results")
    printed = capsys.readouterr().out
    assert printed.index("duplicates") < printed.index("Training on")
    assert "duplicates" in (tmp_path / "results/check.txt").read_text()
    images = pd.read_csv(tmp_path / "results/check.csv").groupby("finding")["file"].apply(set)
    assert images["duplicates"] == {"north/copy.png", "north/P00_0.png"}
    assert (tmp_path / "results/check.png").exists()


def test_what_was_not_read_or_matched_is_listed(done):
    failures = pd.read_csv(done / "failures.csv").set_index("file")["reason"]
    assert set(failures.index) == {"note.dcm", "cut.png"}
    assert "no image" in failures["note.dcm"]
    unmatched = pd.read_csv(done / "unmatched.csv")
    assert set(unmatched["what"]) == {"north/P07_38.png", "south/P07_39.png"}


def test_each_patient_has_a_row(done):
    patients = pd.read_csv(done / "patients.csv")
    # Two images have no row in the table, so that their files stand for their patients.
    assert patients.n_samples.tolist() == [5] * 7 + [3, 1, 1]


def test_pseudonyms_hide_names_of_files_and_patients(cohort, tmp_path, capsys):
    fit(cohort, tmp_path / "results", "--pseudonyms")
    report = (tmp_path / "results" / "report.html").read_text()
    assert "patient 1, image 1" in report
    assert not any(name in report for name in ("P00", "P07", ".png", "north/"))
    assert "10 patients, 8 of them with several images" in capsys.readouterr().out


def test_the_report_names_files_and_compares_metadata(done):
    report = (done / "report.html").read_text()
    assert "north/P00_0.png" in report
    assert ">sex</th>" in report
    assert "patient_id" not in report


def test_scores_have_the_options(done):
    scores = json.loads((done / "scores.json").read_text())
    assert scores["options"]["size"] == 16
    assert scores["n_images"] == sum(scores["group_sizes"]) == 40
    assert scores["n_failures"] == 2


def test_later_images_are_read_and_assigned_as_those_of_the_fit(
    done, cohort, toy_images, tmp_path, capsys
):
    write(tmp_path / "later", toy_images[0][:40])
    (tmp_path / "later" / "bad.png").write_bytes(b"")
    table = tmp_path / "again.csv"
    model = done / "model.safetensors"
    command = ["assign", str(model), str(tmp_path / "later"), "--jobs", "1"]
    main([*command, "--output", str(table)])
    pd.testing.assert_frame_equal(
        pd.read_csv(table).drop(columns="patient"),
        pd.read_csv(done / "groups.csv").drop(columns="patient"),
    )
    assert pd.read_csv(tmp_path / "again_failures.csv").file.tolist() == ["bad.png"]
    printed = capsys.readouterr().out
    assert "1 x the file is empty" in printed
    assert "doubtful ones: " in printed


def test_the_same_command_goes_on_after_a_stop(cohort, tmp_path, monkeypatch, capsys):
    """A stop in the second epoch: the next call neither reads nor trains again what it has."""
    from sklearn_cae._training.resume import KeepEpochs

    def stop(self, net, **kwargs):
        kept(self, net, **kwargs)
        if net.phase == "warm_up" and len(net.history) == 2:
            raise KeyboardInterrupt

    kept = KeepEpochs.on_epoch_end
    fit(cohort, tmp_path / "whole", epochs=3)
    output = tmp_path / "stopped"
    monkeypatch.setattr("sklearn_cae._command.fit._look_first", lambda *_: None)
    with monkeypatch.context() as patch:
        patch.setattr(KeepEpochs, "on_epoch_end", stop)
        fit(cohort, output, epochs=3)
    assert "The training was stopped" in capsys.readouterr().out
    assert load(output / "model.safetensors").interrupted_
    assert "interrupted" in (output / "report.html").read_text()

    monkeypatch.setattr(
        "sklearn_cae.images._chunks.read_file", lambda *_: pytest.fail("read again")
    )
    fit(cohort, output, epochs=3)
    assert not load(output / "model.safetensors").interrupted_
    groups = [(folder / "groups.csv").read_bytes() for folder in (output, tmp_path / "whole")]
    assert groups[0] == groups[1]


def test_ctrl_c_while_files_are_read_is_no_traceback(cohort, tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_cae.images.read_images", stop)
    with pytest.raises(SystemExit) as stopped:
        fit(cohort, tmp_path)
    assert stopped.value.code == 130
    assert "the same command" in capsys.readouterr().err


def test_many_files_have_a_first_look_before_all_are_read(cohort, tmp_path, monkeypatch):
    from sklearn_cae import images
    from sklearn_cae._command import fit as command

    n_read = []
    read_images = images.read_images

    def count(paths, **options):
        found = read_images(paths, **options)
        n_read.append(len(found.data))
        return found

    monkeypatch.setattr(images, "read_images", count)
    monkeypatch.setattr(command, "_MANY", 30)
    monkeypatch.setattr(command, "_PART", 20)
    fit(cohort, tmp_path)
    assert n_read[0] <= 20
    assert n_read[1] == 40
    assert (tmp_path / "first_look.png").exists()


def test_a_wrong_table_is_told_before_a_first_look_at_many_files(cohort, tmp_path, monkeypatch):
    from sklearn_cae._command import fit as command

    monkeypatch.setattr(command, "_MANY", 30)
    with pytest.raises(SystemExit, match="patient must name a column of metadata, got 'id'"):
        fit(cohort, tmp_path, "--patient", "id")
    assert not (tmp_path / "checkpoints").exists()


def test_a_part_without_images_has_no_first_look(cohort, tmp_path, monkeypatch, capsys):
    from sklearn_cae._command import fit as command

    def take_none(self, files, n):
        return [path for path in files if path.name == "note.dcm"]

    monkeypatch.setattr(command.random.Random, "sample", take_none)
    fit(cohort, tmp_path)
    assert "There is no first look: No image could be read" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


# ---- What is refused ----


def refused(*arguments):
    """Return the message with which a command ends."""
    with pytest.raises(SystemExit) as error:
        main(["fit", *map(str, arguments), "--jobs", "1", "--epochs", "1", "--size", "16"])
    assert str(error.value).startswith("sklearn-cae: ")
    return str(error.value)


@pytest.fixture
def few(tmp_path, toy_images):
    """A folder of 12 images."""
    write(tmp_path / "few", toy_images[0][:12])
    return tmp_path / "few"


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    message = refused(tmp_path / "images", "--output", tmp_path / "results")
    assert "must hold image files, got none" in message


def test_a_folder_that_does_not_exist(tmp_path):
    message = refused(tmp_path / "images", "--output", tmp_path / "results")
    assert "does not exist" in message


def test_a_folder_without_rights(few, tmp_path, monkeypatch):
    scandir = os.scandir

    def scan(path):  # as for a user who is not root
        if os.fspath(path).startswith(str(few)):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    message = refused(few, "--output", tmp_path / "results")
    assert "got none" in message
    assert "Permission denied" in message


def test_a_folder_without_a_whole_image(few, tmp_path):
    for path in list(few.rglob("*.png")):
        path.write_bytes(path.read_bytes()[:50])
    (few / "text.dcm").write_text("no image")
    message = refused(few, "--output", tmp_path / "results")
    assert "No image could be read" in message
    assert "12 x" in message
    assert "1 x no image" in message


def test_a_single_image(few, tmp_path):
    shutil.rmtree(few / "south")
    for path in list((few / "north").iterdir())[1:]:
        path.unlink()
    message = refused(few, "--output", tmp_path / "results")
    assert "at least 2 images" in message


def test_a_table_without_matches(few, tmp_path):
    pd.DataFrame({"name": ["x1", "x2"], "age": [1, 2]}).to_csv(tmp_path / "t.csv", index=False)
    output = tmp_path / "results"
    message = refused(few, "--metadata", tmp_path / "t.csv", "--output", output)
    assert "no row of" in message
    unmatched = pd.read_csv(output / "unmatched.csv")
    assert unmatched["where"].value_counts().to_dict() == {"images": 12, "table": 2}
    assert not (output / "first_look.png").exists()  # before any training
    assert (output / "cache" / "images.npy").exists()  # for the next call


def test_two_patients_with_one_file_name(few, tmp_path, capsys):
    for patient, source in (("A", "north/P00_0.png"), ("B", "south/P00_1.png")):
        (few / patient).mkdir()
        shutil.copy(few / source, few / patient / "image.png")
    table = pd.DataFrame({"file": ["image.png", "P00_2.png"], "patient_id": ["A", "P00"]})
    table.to_csv(tmp_path / "t.csv", index=False)
    output = tmp_path / "results"
    main(
        [
            *["fit", str(few), "--metadata", str(tmp_path / "t.csv"), "--size", "16"],
            *["--epochs", "1", "--jobs", "1", "--output", str(output)],
        ]
    )
    unmatched = pd.read_csv(output / "unmatched.csv").set_index("what")["reason"]
    assert unmatched["image.png"] == "matches 2 files: A/image.png, B/image.png"
    assert "13 of 14 images have no row of the table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metadata", "no.csv"], "metadata must be a table, got 'no.csv', which is no file"),
        (["--patient", "id"], "patient names a column of the table metadata"),
        (["--window", "400", "-1000"], r"window must be None or \(low, high\) with low < high"),
        (["--size", "7"], "--size 7 cannot be used: .* sides of 8 to 512 pixels"),
        (["--size", "1000"], "--size 1000 cannot be used: .* sides of 8 to 512 pixels"),
    ],
)
def test_options_that_do_not_fit_are_named(few, tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(["fit", str(few), *arguments, "--output", str(tmp_path / "results")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "0"], "--size: must be a whole number from 1 on, got '0'"),
        (["--frames", "most"], "--frames: must be a whole number from 1 on, middle or all"),
    ],
)
def test_values_that_are_none_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "folder", *arguments])
    assert message in capsys.readouterr().err


def test_the_modality_is_that_of_the_model(done):
    clusterer = load(done / "model.safetensors")
    assert clusterer.augmentation == "ultrasound"
    assert clusterer.image_shape == (16, 16)


def test_a_modality_that_is_not_known(few, tmp_path):
    message = refused(few, "--output", tmp_path / "results", "--modality", "dermoscopy")
    assert "modality must be one of" in message
    assert "Did you mean 'skin'?" in message


def test_an_output_that_cannot_be_written_to(few, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    message = refused(few, "--output", tmp_path / "file")
    assert "--output must be a writable folder" in message
    assert "must be outside the folder of images" in refused(few, "--output", few / "results")
    assert not (few / "results").exists()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert "sklearn_cae[report]" in refused(few, "--output", tmp_path / "results")


def test_a_model_that_cannot_read(fitted, few, tmp_path):
    save(fitted, tmp_path / "model.safetensors")
    command = ["assign", str(tmp_path / "model.safetensors"), str(few)]
    with pytest.raises(SystemExit, match="must hold the reading of its images, and holds none"):
        main([*command, "--output", str(tmp_path / "later.csv")])
    with pytest.raises(SystemExit, match="--output must be a file, got the folder"):
        main([*command, "--output", str(tmp_path)])
    (tmp_path / "model.safetensors").write_text("no model")
    with pytest.raises(SystemExit, match="is not a file of sklearn_cae"):
        main([*command, "--output", str(tmp_path / "later.csv")])
    assert not (tmp_path / "later.csv").exists()


# ---- The commands ----


def test_help_is_fast_and_lists_the_commands():
    code = (
        "import sys, sklearn_cae.__main__ as job\n"
        "try: job.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('torch', 'sklearn', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    printed = run_fresh(code)
    assert all(f"\n    {command} " in printed for command in ("fit", "assign", "demo"))
    assert printed.endswith("[]\n")
