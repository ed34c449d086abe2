"""The reader's answers: read back, refused if they are wrong, and shown in tables and reports."""

import copy
import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import read_about, read_points

from sklearn_cae import cluster_report, load, save
from sklearn_cae.report import Answers, cluster_table, read_answers

NASTY = "</textarea></script><b>\" onclick='x' {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def about(fitted, toy_images, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return read_about(cluster_report(fitted, toy_images[0], path=path, max_samples=9))


@pytest.fixture
def content(about):
    """Content of a file of answers, as the page writes it."""
    return {
        **about,
        "title": "Shapes",
        "reader": "A. B.",
        "saved": "2026-11-29T14:07:17.123Z",
        "groups": [
            {"group": 0, "name": "discs", "artefact": "no", "comment": "round\nand small"},
            {"group": 1, "name": "", "artefact": "", "comment": ""},
            {"group": 2, "name": " cross,  or\tplus ", "artefact": "unsure", "comment": ""},
        ],
    }


@pytest.fixture
def read(fitted, tmp_path):
    def read(content):
        path = tmp_path / "answers.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return read_answers(path, fitted)

    return read


def test_answers_are_read(content, read):
    answers = read(content)
    assert answers.names == {0: "discs", 2: "cross, or plus"}
    expected = pd.DataFrame(
        {
            "group": [0, 1, 2],
            "name": ["discs", "", "cross, or plus"],
            "artefact": ["no", "", "unsure"],
            "comment": ["round\nand small", "", ""],
        }
    )
    pd.testing.assert_frame_equal(answers.table, expected)
    assert answers.reader == "A. B."
    assert answers.saved == datetime(2026, 11, 29, 14, 7, 17, 123000, tzinfo=UTC)


def test_groups_and_answers_may_be_left_out(content, read):
    answers = read({**content, "groups": [{"group": 2, "artefact": "yes"}]})
    assert answers.names == {}
    assert answers.table["artefact"].tolist() == ["", "", "yes"]


def test_two_groups_may_have_the_same_name(content, read):
    groups = [{"group": 0, "name": "lungs"}, {"group": 1, "name": "lungs"}]
    assert read({**content, "groups": groups}).names == {0: "lungs", 1: "lungs"}


def test_what_no_page_can_show_is_left_out(content, read):
    text = "a\x00b\ud83d\u202fc\r\nd"  # a control character, half an emoji, a narrow space
    groups = [{"group": 0, "name": text, "comment": text}]
    answers = read({**content, "groups": groups, "reader": "\x1b[2J"})
    assert answers.table["comment"][0] == "ab\u202fc\nd"
    assert answers.names == {0: "ab c d"}
    assert answers.reader == "[2J"


def test_answers_belong_to_the_model_also_after_saving_it(fitted, content, read, tmp_path):
    read(content)
    save(fitted, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert read_answers(tmp_path / "answers.json", again).names[0] == "discs"


def test_answers_for_another_model_are_refused(fitted, toy_images, make_quick, content, read):
    other = make_quick(random_state=1).fit(toy_images[0])
    answers = read(content)
    for use in (cluster_report, cluster_table):
        with pytest.raises(ValueError, match=r"answers for another model.*Load the model"):
            use(other, toy_images[0], answers=answers)
    with pytest.raises(ValueError, match="answers for another model"):
        read({**content, "model": "0" * 64})
    reordered = copy.copy(fitted)
    reordered.labels_ = 2 - fitted.labels_
    with pytest.raises(ValueError, match="answers for another model"):
        cluster_table(reordered, toy_images[0], answers=answers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "must be a file of answers, but it has another format"),
        ({"version": 2}, "version of answers.json must be 1, got 2"),
        ({"version": True}, "version of answers.json must be 1, got True"),
        ({"groups": {"0": "discs"}}, "groups must be a list of objects"),
        ({"groups": ["discs"]}, "groups must be a list of objects"),
        ({"groups": [{"group": 3}]}, "group must be a number from 0 to 2, got 3"),
        ({"groups": [{"group": -1}]}, "group must be a number from 0 to 2, got -1"),
        ({"groups": [{"group": "0"}]}, "group must be a number from 0 to 2, got '0'"),
        ({"groups": [{"group": 0.0}]}, "group must be a number from 0 to 2, got 0.0"),
        ({"groups": [{"group": [0]}]}, r"group must be a number from 0 to 2, got \[0\]"),
        ({"groups": [{"group": 1}, {"group": 1}]}, "group must occur once, got 1 twice"),
        ({"groups": [{"group": 1, "name": 5}]}, "name of group 1 must be text of at most 100"),
        ({"groups": [{"group": 1, "name": "a" * 101}]}, "name of group 1 .* got 101 characters"),
        ({"groups": [{"group": 1, "comment": "a" * 2001}]}, "comment of group 1 must be text"),
        ({"groups": [{"group": 1, "comment": None}]}, "comment of group 1 .* got None"),
        ({"groups": [{"group": 1, "artefact": "maybe"}]}, "artefact of group 1 must be one of"),
        ({"groups": [{"group": 1, "artefact": ["no"]}]}, "artefact of group 1 must be one of"),
        ({"reader": None}, "reader must be text of at most 100 characters, got None"),
        ({"saved": "yesterday"}, "saved must be a date such as .*, got 'yesterday'"),
        ({"saved": 5}, "saved must be a date"),
    ],
)
def test_wrong_answers_are_named(change, message, content, read):
    with pytest.raises(ValueError, match=message):
        read({**content, **change})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"format": NaN', "9" * 5000])
def test_files_that_are_no_answers(text, read):
    with pytest.raises(ValueError, match="must be a file of answers"):
        read(text)


def test_large_files_are_not_read(read):
    with pytest.raises(ValueError, match="at most 10,000,000 bytes, got 10,000,001"):
        read(" " * 10_000_001)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, data=st.data())
def test_any_content_is_read_or_refused_by_name(value, data, content, read):
    changed = copy.deepcopy(content)
    place = data.draw(st.sampled_from([changed, *changed["groups"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = value
    try:
        answers = read(changed)
    except ValueError:
        return
    assert isinstance(answers, Answers)
    json.dumps(answers.table.to_dict("records"), ensure_ascii=False).encode()


def test_the_table_has_the_names(fitted, toy_images, content, read):
    table = cluster_table(fitted, toy_images[0], answers=read(content))
    assert list(table.columns[:3]) == ["group", "name", "probability"]
    expected = [{0: "discs", 1: "", 2: "cross, or plus"}[group] for group in fitted.labels_]
    assert table["name"].tolist() == expected


def test_the_report_has_the_names_and_the_answers(
    fitted, toy_images, content, read, tmp_path, quick_map
):
    content["groups"][0] |= {"name": NASTY, "comment": f"\n{NASTY}"}
    frame = pd.DataFrame({"age": range(96)})
    path = cluster_report(
        fitted, toy_images[0], None, frame, tmp_path / "report.html", answers=read(content)
    )
    page = path.read_text(encoding="utf-8")
    escaped = "&lt;/textarea&gt;&lt;/script&gt;&lt;b&gt;&#34; onclick=&#39;x&#39; {{ 7 * 7 }}"
    assert NASTY not in page
    for place in (
        f'<a href="#cluster-0">Cluster 0: {escaped}</a>',  # the overview
        f"Cluster 0: {escaped} <span",  # the card
        f"Cluster 0: {escaped}</th>",  # the metadata
        f"0 {escaped}<span",  # the legend
        f'value="{escaped}"',
        f"\n\n{escaped}</textarea>",  # HTML leaves out the first line break
        '<option value="unsure" selected>',
        'value="A. B."',
    ):
        assert place in page
    titles = [f"Cluster 0: {NASTY}", "Cluster 1", "Cluster 2: cross, or plus"]
    assert read_points(path)["titles"] == titles


def test_only_answers_are_taken(fitted, toy_images):
    for use in (cluster_report, cluster_table):
        with pytest.raises(TypeError, match=r"answers must be those that read_answers.*got dict"):
            use(fitted, toy_images[0], answers={0: "discs"})
