"""The report in a browser: a headless Chromium moves, types, taps and prints."""

import io
import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages import read_about, read_points
from PIL import Image

from sklearn_cae import cluster_report
from sklearn_cae.report import read_answers

NASTY = "</script><script>alert('x')</script> & \"<b>\""


@pytest.fixture(scope="module")
def page(fitted, toy_images, tmp_path_factory):
    X, y = toy_images
    names = np.array(["disc", "cross", "stripes"])[y]
    path = tmp_path_factory.mktemp("report") / "report.html"
    ages = np.where(y == 0, np.nan, np.linspace(20, 80, len(y)))
    metadata = pd.DataFrame({"ward": np.where(y == 1, "north", "south"), "age": ages})
    originals = [np.kron(image, np.ones((8, 8), dtype=np.uint8)) for image in X]
    cluster_report(fitted, X, names, metadata, path, images=originals)
    return SimpleNamespace(path=path, points=read_points(path))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A headless Chromium that tells of requests and of what goes wrong on a page."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are needed to look at a page, and not found")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        *["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        *["--disable-background-networking", "--disable-component-update"],
        "--force-prefers-reduced-motion",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def keys():
    return pytest.importorskip("selenium.webdriver.common.keys").Keys


@pytest.fixture
def opened(chromium, page):
    """The report, opened anew in a window of a desktop."""
    set_window(chromium, 1280, mobile=False)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get(page.path.as_uri())
    return chromium


@pytest.fixture
def on_a_phone(chromium, page):
    """The report, opened anew on a phone."""
    set_window(chromium, 390, mobile=True)
    chromium.get(page.path.as_uri())
    return chromium


def set_window(browser, width, *, mobile):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})


def find(browser, selector):
    return browser.find_element("css selector", selector)


def text_of(browser, selector):
    return browser.execute_script(
        "return document.querySelector(arguments[0]).textContent", selector
    )


def wait_for(browser, selector, text):
    """Wait until an element contains a text."""
    for _ in range(100):
        if text in text_of(browser, selector):
            return
        time.sleep(0.05)
    pytest.fail(f"{selector} says {text_of(browser, selector)!r}, not {text!r}")


def wait_for_alert(browser):
    support = pytest.importorskip("selenium.webdriver.support.ui")
    conditions = pytest.importorskip("selenium.webdriver.support.expected_conditions")
    return support.WebDriverWait(browser, 5).until(conditions.alert_is_present())


def colours_of(browser):
    """Colour and number of the points of each path of the map."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.points')].map("
        "(one) => [one.getAttribute('fill'), one.getAttribute('d').split('M').length - 1])"
    )


def choose(browser, column):
    """Colour the map by a column."""
    browser.execute_script(
        """const select = document.getElementById("by");
        const option = [...select.options].find((one) => one.text === arguments[0]);
        select.value = option.value;
        select.dispatchEvent(new Event("change"))""",
        column,
    )


def find_place(browser, i):
    """Scroll to the map; where its i-th point lies in the window."""
    return browser.execute_script(
        """const svg = document.querySelector("#plot svg");
        svg.scrollIntoView({block: "center", behavior: "instant"});
        const points = JSON.parse(document.getElementById("points").textContent);
        const point = new DOMPoint(points.x[arguments[0]], points.y[arguments[0]]);
        const place = point.matrixTransform(svg.getScreenCTM());
        return [place.x, place.y]""",
        i,
    )


def find_lonely(page):
    """The point farthest from its neighbour: no other one is under the pointer."""
    places = np.column_stack([page.points["x"], page.points["y"]])
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    return int(distances.min(axis=1).argmax())


def move_to(browser, x, y):
    event = {"type": "mouseMoved", "x": x, "y": y}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def tap(browser, x, y):
    touch = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
    end = {"type": "touchEnd", "touchPoints": []}
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", end)


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


# ---- Members, enlarged ----


def tell_focus(browser):
    """Which of the pictures that can be enlarged has the focus."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.enlarge')].indexOf(document.activeElement)"
    )


def tell_enlarged(browser):
    """What the dialog says, and the classes and sources of its pictures."""
    pictures = browser.find_elements("css selector", "#sides img")
    return text_of(browser, "#whose"), [
        (picture.get_attribute("class"), picture.get_attribute("src")) for picture in pictures
    ]


def tell_member(browser, i):
    """The same of the i-th member on the page."""
    told, pictures = browser.execute_script(
        """const button = document.querySelectorAll(".enlarge")[arguments[0]];
        const group = button.closest(".card").querySelector("h3").id.replace("c", "C");
        const texts = [...button.closest("li").querySelectorAll("span")];
        const pictures = [...button.querySelectorAll("img")];
        return [[group.replace("-", " "), ...texts.map((one) => one.textContent)],
                pictures.map((one) => [one.className, one.src])]""",
        i,
    )
    return ", ".join(told), [tuple(one) for one in pictures]


def test_a_click_enlarges_a_member(opened):
    dialog = find(opened, "#enlarged")
    opened.find_elements("css selector", ".enlarge")[1].click()
    assert dialog.is_displayed()
    told, pictures = tell_enlarged(opened)
    assert (told, pictures) == tell_member(opened, 1)
    assert [kind for kind, _ in pictures] == ["original", "seen", "saliency"]
    sizes = opened.execute_script(
        "return [...document.querySelectorAll('#sides img')].map((one) => one.clientHeight)"
    )
    assert min(sizes) > 400
    find(opened, "#next").click()
    assert tell_enlarged(opened)[0] == tell_member(opened, 2)[0]
    find(opened, "#previous").click()
    assert tell_enlarged(opened)[0] == told
    find(opened, "#close").click()
    assert not dialog.is_displayed()
    assert tell_focus(opened) == 1
    assert opened.get_log("browser") == []


def test_keys_enlarge_members(opened, keys):
    dialog, buttons = find(opened, "#enlarged"), opened.find_elements("css selector", ".enlarge")

    def press(key):
        opened.switch_to.active_element.send_keys(key)

    opened.execute_script("arguments[0].focus()", buttons[0])
    press(keys.ENTER)
    assert dialog.is_displayed()
    assert tell_enlarged(opened)[0] == tell_member(opened, 0)[0]
    press(keys.ARROW_LEFT)
    assert tell_enlarged(opened)[0] == tell_member(opened, len(buttons) - 1)[0]
    for i in (0, 1, 2):
        press(keys.ARROW_RIGHT)
        assert tell_enlarged(opened)[0] == tell_member(opened, i)[0]
    press(keys.ALT + keys.ARROW_RIGHT)  # the browser's own
    press(keys.ESCAPE)
    assert not dialog.is_displayed()
    assert tell_focus(opened) == 2


def test_a_tap_enlarges_a_member(on_a_phone):
    place = on_a_phone.execute_script(
        """const button = document.querySelector(".enlarge");
        button.scrollIntoView({block: "center"});
        const box = button.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2]"""
    )
    tap(on_a_phone, *place)
    assert find(on_a_phone, "#enlarged").is_displayed()
    tap(on_a_phone, 2, 2)  # beside the dialog
    assert not find(on_a_phone, "#enlarged").is_displayed()


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
    parts = on_a_phone.find_elements("css selector", "table")
    assert len(parts) > 4
    for table in parts:
        part = table.find_element("xpath", "./..")
        assert part.get_attribute("class") == "scroll"
        part.send_keys(keys.END)  # it has the focus
        hidden = on_a_phone.execute_script(
            """const part = arguments[0];
            part.scrollLeft = 1e6;
            return part.getBoundingClientRect().right
              < part.querySelector("tr").lastElementChild.getBoundingClientRect().right - 1""",
            part,
        )
        assert not hidden
        assert part.get_attribute("aria-label")


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


# ---- The reader's answers ----

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
