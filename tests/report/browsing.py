"""What tests do in a browser, and what they look at."""

import time

import numpy as np
import pytest


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
