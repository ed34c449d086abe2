"""Members of clusters in a browser, enlarged by a click, a key or a tap."""

import numpy as np
from browsing import find, tap, text_of

from sklearn_cae import cluster_report


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
    assert dialog.accessible_name == told
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


def test_originals_of_vectors_are_enlarged_too(chromium, make_quick, tmp_path, quick_map):
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(center, size=(20, 5)) for center in (-4, 0, 4)])
    images = [np.full((20, 20), row, dtype=np.uint8) for row in range(60)]
    model = make_quick(warm_up_epochs=1).fit(X)
    path = cluster_report(model, X, path=tmp_path / "report.html", images=images)
    chromium.get(path.as_uri())
    find(chromium, ".enlarge").click()
    assert [kind for kind, _ in tell_enlarged(chromium)[1]] == ["original"]


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
