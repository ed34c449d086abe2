"""The report in a browser: its map, its tables, small windows, print and barriers."""

import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browsing import (
    choose,
    colours_of,
    find,
    find_lonely,
    find_place,
    move_to,
    set_window,
    tap,
    text_of,
)
from PIL import Image

from sklearn_cae import cluster_report

NASTY = "</script><script>alert('x')</script> & \"<b>\""


def test_it_opens_without_errors_or_requests(opened, page):
    move_to(opened, *find_place(opened, 0))
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    requested = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"] == page.path.as_uri()  # not the browser's own
    }
    assert {url for url in requested if not url.startswith("data:")} == {page.path.as_uri()}
    assert opened.get_log("browser") == []


def test_hovering_shows_the_image(opened, page, toy_images):
    i = find_lonely(page)
    assert not find(opened, "#tip").is_displayed()
    move_to(opened, *find_place(opened, i))
    assert find(opened, "#tip").is_displayed()
    cluster, row, label, margin = (page.points[k][i] for k in ("cluster", "row", "label", "margin"))
    expected = [f"Cluster {cluster}", f"image {row}", f"label {label}", f"margin {margin}"]
    assert text_of(opened, "#words").split("\n") == expected
    shown = Image.open(io.BytesIO(find(opened, "#thumb").screenshot_as_png)).convert("L")
    shown = np.asarray(shown.resize((16, 16), Image.Resampling.BOX), dtype=float)
    difference = np.abs(shown - toy_images[0].astype(float)).mean(axis=(1, 2))
    assert difference.argmin() == row
    assert difference[row] < 2
    move_to(opened, 2, 2)
    assert not find(opened, "#tip").is_displayed()


def test_a_tap_shows_the_image(on_a_phone, page):
    i = find_lonely(page)
    tap(on_a_phone, *find_place(on_a_phone, i))
    assert find(on_a_phone, "#tip").is_displayed()
    assert page.points["name"][i] in text_of(on_a_phone, "#announcement")


@pytest.mark.parametrize("block", ["start", "center", "end"])
def test_the_tip_stays_in_the_window(block, on_a_phone):
    outside = on_a_phone.execute_script(
        """const svg = document.querySelector("#plot svg");
        svg.scrollIntoView({block: arguments[0], behavior: "instant"});
        const plot = document.getElementById("plot");
        const found = [];
        for (let i = 0; i < data.x.length; i++) {
          const at = new DOMPoint(data.x[i], data.y[i]).matrixTransform(svg.getScreenCTM());
          if (at.y < 0 || at.y > innerHeight) continue;
          plot.dispatchEvent(new MouseEvent("click", {clientX: at.x, clientY: at.y}));
          const box = document.getElementById("tip").getBoundingClientRect();
          const inside = box.left >= 0 && box.right <= innerWidth
            && box.top >= 0 && box.bottom <= innerHeight;
          if (!inside || !box.width) found.push(i);
        }
        return found""",
        block,
    )
    assert outside == []


def test_arrow_keys_walk(opened, page, keys):
    plot, clusters = find(opened, "#plot"), np.array(page.points["cluster"])

    def press(key):
        plot.send_keys(key)
        return text_of(opened, "#announcement")

    def told(i):
        return f"Cluster {clusters[i]}, image {page.points['row'][i]}, "

    second = int(np.flatnonzero(clusters == 1)[0])
    assert press(keys.ARROW_RIGHT).startswith(told(0))
    assert press(keys.ARROW_RIGHT).startswith(told(1))
    assert press(keys.ARROW_DOWN).startswith(told(second))
    assert press(keys.ARROW_RIGHT).startswith(told(second + 1))
    assert press(keys.ARROW_LEFT).startswith(told(second))
    assert press(keys.ARROW_UP).startswith(told(0))
    assert press(keys.ARROW_LEFT).startswith(told(0))  # there is none before
    assert press(keys.ALT + keys.ARROW_RIGHT).startswith(told(0))  # the browser's own
    assert find(opened, "#tip").is_displayed()
    assert find(opened, "#announcement").get_attribute("aria-live") == "polite"
    assert press(keys.ESCAPE) == ""
    assert not find(opened, "#tip").is_displayed()


def test_the_map_is_coloured_by_any_column(opened, page, keys):
    columns = {column["name"]: column for column in page.points["columns"]}
    assert list(columns) == ["label", "ward", "age", "brightness", "contrast"]
    select = find(opened, "#by")
    by_cluster = colours_of(opened)
    told = {}
    for _ in range(3):
        select.send_keys(keys.ARROW_DOWN)
        assert colours_of(opened) != by_cluster
        told[text_of(opened, "#announcement")] = text_of(opened, "#legend")
    missing = columns["age"]["values"].count(None)
    assert told == {
        "The map is coloured by label.": " cross (32) disc (32) stripes (32)",
        "The map is coloured by ward.": " north (32) south (64)",
        f"The map is coloured by age, from 20 to 80. {missing} are missing.": (
            f"20  80 missing ({missing})"
        ),
    }
    i = columns["age"]["values"].index(None)
    move_to(opened, *find_place(opened, i))
    assert "age: missing" in text_of(opened, "#words").split("\n")
    select.send_keys(keys.HOME)
    assert colours_of(opened) == by_cluster
    assert text_of(opened, "#announcement") == "The map is coloured by cluster."


def test_points_have_the_colour_of_their_value(opened, page):
    age = page.points["columns"][2]
    choose(opened, "age")
    ramp = page.points["ramp"]
    for i in (age["values"].index(80), age["values"].index(20), age["values"].index(None)):
        expected = {80: ramp[-1], 20: ramp[0], None: age["legend"][0][2]}[age["values"][i]]
        start = f"M{page.points['x'][i]:g} {page.points['y'][i]:g}m"
        found = opened.execute_script(
            "return [...document.querySelectorAll('.points')].filter("
            "(one) => one.getAttribute('d').includes(arguments[0])).map("
            "(one) => one.getAttribute('fill'))",
            start,
        )
        assert found == [expected]


def test_the_table_sorts(opened, fitted, toy_images, keys):
    margin, cluster = (find(opened, f"#table th:nth-child({i})") for i in (4, 1))

    def order():
        heads = opened.find_elements("css selector", "#table tbody th")
        return [int(head.get_attribute("data-value")) for head in heads]

    margins = pd.Series(fitted.margin(toy_images[0])).groupby(fitted.labels_).mean()
    expected = margins.sort_values().index.tolist()
    assert cluster.get_attribute("aria-sort") == "ascending"
    margin.find_element("css selector", "button").click()
    assert order() == expected
    assert margin.get_attribute("aria-sort") == "ascending"
    assert cluster.get_attribute("aria-sort") is None
    margin.find_element("css selector", "button").send_keys(keys.ENTER)
    assert order() == expected[::-1]
    assert margin.get_attribute("aria-sort") == "descending"
    cluster.find_element("css selector", "button").send_keys(keys.SPACE)
    assert order() == [0, 1, 2]


@pytest.fixture
def on_paper(opened):
    """The report, as it is printed on A4 within margins of 16 mm."""
    set_window(opened, 673, mobile=True)  # paper has no scroll bar
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    yield opened
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_cards_fit_on_pages(on_paper):
    find(on_paper, "#comment-0").send_keys("A comment of\nthree lines,\nwhich are printed.")
    heights = on_paper.execute_script(
        "return [...document.querySelectorAll('.card')].map((one) => one.offsetHeight)"
    )
    assert 300 < max(heights) < 1001  # 265 mm
    sizes = "return [document.documentElement.scrollWidth, innerWidth]"
    assert on_paper.execute_script(sizes) == [673, 673]


def test_print_shows_the_chosen_colours(on_paper):
    choose(on_paper, "age")
    assert find(on_paper, ".ramp").is_displayed()
    assert find(on_paper, "#by").is_displayed()
    exact = "return getComputedStyle(document.querySelector('.ramp')).printColorAdjust"
    assert on_paper.execute_script(exact) == "exact"


def test_print_has_the_map_and_no_tip(opened, page):
    move_to(opened, *find_place(opened, 0))
    assert find(opened, "#tip").is_displayed()
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        for selector in ("#tip", "nav", "#keys"):
            assert not find(opened, selector).is_displayed()
        assert find(opened, "#plot svg").is_displayed()
        style = "return getComputedStyle(document.querySelector('.card')).breakInside"
        assert opened.execute_script(style) == "avoid"
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_nasty_text_runs_nothing(chromium, fitted, toy_images, tmp_path):
    X, y = toy_images
    labels = np.where(y == 0, NASTY, "b")
    frame = pd.DataFrame({NASTY: labels})
    path = cluster_report(fitted, X, labels, frame, tmp_path / "a.html", title=NASTY)
    chromium.get(path.as_uri())  # an alert would make the next command fail
    assert chromium.title == NASTY
    assert [entry["message"] for entry in chromium.get_log("browser")] == []


# ---- Small windows, and readers who do not see or use a mouse ----


@pytest.mark.parametrize("width", [320, 390, 768])
def test_the_page_fits_into_a_phone(chromium, page, width):
    set_window(chromium, width, mobile=True)
    chromium.get(page.path.as_uri())
    script = "return [document.documentElement.scrollWidth, innerWidth]"
    assert chromium.execute_script(script) == [width, width]
    find(chromium, ".enlarge").click()
    script = "const box = arguments[0]; return [box.scrollWidth, box.clientWidth]"
    inner, outer = chromium.execute_script(script, find(chromium, "#enlarged"))
    assert inner == outer < width


def test_every_column_can_be_reached_on_a_phone(on_a_phone, keys):
    hidden = """const part = arguments[0].getBoundingClientRect();
        const last = arguments[0].querySelector("tr").lastElementChild.getBoundingClientRect();
        return last.right > part.right + 1"""
    tables, n_wide = on_a_phone.find_elements("css selector", "table"), 0
    for table in tables:
        part = table.find_element("xpath", "./..")
        assert part.get_attribute("aria-label")
        n_wide += on_a_phone.execute_script(hidden, part)
        part.send_keys(keys.ARROW_RIGHT * 20)
        for _ in range(100):  # the browser scrolls smoothly
            if not on_a_phone.execute_script(hidden, part):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"the last column of {part.get_attribute('aria-label')} is out of reach")
    assert n_wide > 1


def test_targets_are_large_enough_to_tap(on_a_phone):
    """24 pixels, as WCAG 2.2 demands; links within sentences are exempt."""
    find(on_a_phone, ".enlarge").click()
    small = on_a_phone.execute_script(
        """const kinds = "button, select, textarea, [type=text], [type=file], "
          + "label:has([type=checkbox]), nav a, td a, th a, .download a";
        return [...document.querySelectorAll(kinds)].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width < 24 || box.height < 24;
        }).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert small == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("selector", [None, ".enlarge"])
def test_axe_finds_nothing_serious(width, selector, chromium, page):
    path = os.environ.get("AXE_CORE")
    if not path:
        pytest.skip("axe-core looks for barriers; set AXE_CORE to its axe.min.js")
    set_window(chromium, width, mobile=width < 500)
    chromium.get(page.path.as_uri())
    if selector:
        find(chromium, selector).click()
    chromium.execute_script(Path(path).read_text(encoding="utf-8"))
    found = chromium.execute_async_script(
        "const done = arguments[0]; axe.run().then((result) => done(result.violations))"
    )
    serious = [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
