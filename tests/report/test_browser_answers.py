"""The reader's answers in a browser: typed, saved, read back and loaded."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from browsing import find, text_of, wait_for, wait_for_alert
from pages import read_about

from sklearn_cae.report import read_answers

NASTY = "</script><script>alert('x')</script> & \"<b>\""
WRITTEN = {0: ("disc", "no", "round\n\nand small"), 1: ("", "yes", ""), 2: ("√ & <b>", "", "?")}


def write_answers(browser, keys):
    """Type the answers, as a reader does."""
    for group, texts in WRITTEN.items():
        for name, text in zip(("name", "artefact", "comment"), texts, strict=True):
            field = find(browser, f"#{name}-{group}")
            if name == "artefact":
                field.send_keys(text)
            else:
                field.clear()
                field.send_keys(text)
    find(browser, "#reader").send_keys("A. B.")


def download(browser, folder):
    """Click on the button that saves; wait for the file."""
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    find(browser, "#download").click()
    path = folder / "answers.json"
    for _ in range(100):
        if path.exists():
            return path
        time.sleep(0.05)
    pytest.fail("no file was saved")


def test_answers_are_saved_and_read_back(opened, keys, fitted, tmp_path):
    write_answers(opened, keys)
    path = download(opened, tmp_path)
    assert "Saved as answers.json" in text_of(opened, "#saved")
    answers = read_answers(path, fitted)
    assert answers.names == {0: "disc", 2: "√ & <b>"}
    assert answers.reader == "A. B."
    columns = ["name", "artefact", "comment"]
    assert [tuple(row) for row in answers.table[columns].to_numpy()] == list(WRITTEN.values())
    assert abs(datetime.now(UTC) - answers.saved) < timedelta(minutes=1)
    assert opened.get_log("browser") == []


def test_answers_are_loaded_again(opened, page, keys, tmp_path):
    write_answers(opened, keys)
    path = download(opened, tmp_path)
    opened.get(page.path.as_uri())
    assert find(opened, "#name-0").get_attribute("value") == ""
    find(opened, "#load").send_keys(str(path))
    wait_for(opened, "#saved", "Loaded")
    for group, texts in WRITTEN.items():
        for name, text in zip(("name", "artefact", "comment"), texts, strict=True):
            assert find(opened, f"#{name}-{group}").get_attribute("value") == text
    assert find(opened, "#reader").get_attribute("value") == "A. B."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "0" * 64}, "about other clusters"),
        ({"version": 2}, "not a file of answers"),
        ({"groups": None}, "not a file of answers"),
        (None, "not a file of answers"),
    ],
)
def test_other_files_are_not_loaded(change, told, opened, page, tmp_path):
    path = tmp_path / "answers.json"
    content = {**read_about(page.path), "groups": [{"group": 0, "name": "other"}]}
    path.write_text("{" if change is None else json.dumps({**content, **change}))
    find(opened, "#load").send_keys(str(path))
    wait_for(opened, "#saved", told)
    assert find(opened, "#name-0").get_attribute("value") == ""
    assert opened.get_log("browser") == []


def test_answers_from_elsewhere_are_only_text(opened, page, tmp_path):
    path = tmp_path / "answers.json"
    groups = [{"group": 0, "name": NASTY, "comment": ["x"]}, None, {"group": 1, "artefact": "so"}]
    path.write_text(json.dumps({**read_about(page.path), "groups": groups, "reader": 5}))
    find(opened, "#load").send_keys(str(path))
    wait_for(opened, "#saved", "Loaded")
    assert find(opened, "#name-0").get_attribute("value") == NASTY
    for field in ("#comment-0", "#artefact-1", "#reader"):
        assert find(opened, field).get_attribute("value") == ""


def test_unsaved_answers_are_not_lost_by_accident(opened, page, tmp_path):
    unsaved = (
        "const event = new Event('beforeunload', {cancelable: true});return !dispatchEvent(event)"
    )
    assert not opened.execute_script(unsaved)
    find(opened, "#comment-1").send_keys("a")
    assert opened.execute_script(unsaved)
    download(opened, tmp_path)
    assert not opened.execute_script(unsaved)
    find(opened, "#comment-1").send_keys("b")
    assert opened.execute_script(unsaved)
    find(opened, "#load").send_keys(str(tmp_path / "answers.json"))
    question = wait_for_alert(opened)
    assert "not saved" in question.text
    question.dismiss()
    assert find(opened, "#comment-1").get_attribute("value") == "ab"
    find(opened, "#load").send_keys(str(tmp_path / "answers.json"))
    wait_for_alert(opened).accept()
    wait_for(opened, "#saved", "Loaded")
    assert find(opened, "#comment-1").get_attribute("value") == "a"


def test_a_long_comment_is_seen_whole(opened):
    comment = find(opened, "#comment-0")
    comment.send_keys("many words " * 60)
    script = "return [arguments[0].scrollHeight, arguments[0].clientHeight]"
    needed, shown = opened.execute_script(script, comment)
    assert 100 < needed <= shown
