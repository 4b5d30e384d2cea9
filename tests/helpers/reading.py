"""What the tests of the reading tools of the report share."""

from dataclasses import replace

import numpy as np

from tests.helpers.finished_analysis import made_analysis
from usmicro.model.findings import Candidate, ShadowProfile
from usmicro.result import Table

FIRST = "#cards > li:nth-child(5) button"
OPENED = "document.getElementById('viewer').open"
TITLE = "document.getElementById('viewer-title').textContent"
MARKERS = "document.querySelectorAll('.marker').length"
CONFIDENCES = (0.9, 0.5, 0.03)
AT = (100.0, 300.0)
"""Where the candidate lies that is not listed."""


def readable_analysis():
    """Return an analysis with a shadow profile, a candidate and three different confidences."""
    made = made_analysis()
    depth = np.arange(80, dtype=np.float32)
    strip = np.where(depth < 50, 40, 90).astype(np.float32)
    profile = ShadowProfile(
        depth_px=depth,
        depth_mm=depth * np.float32(0.08),
        strip=strip,
        left=np.full(80, 90, np.float32),
        right=np.full(80, 100, np.float32),
    )
    foci = [
        replace(focus, confidence=confidence, shadow_profile=profile)
        for focus, confidence in zip(made.foci, CONFIDENCES, strict=True)
    ]
    foci[1] = replace(foci[1], shadow="not assessable", shadow_profile=None)
    candidate = Candidate(
        frame=0,
        x_px=AT[0],
        y_px=AT[1],
        x_mm=None,
        depth_mm=None,
        diameter_px=6.0,
        diameter_mm=0.48,
        contrast=2.0,
        false_alarm=0.1,
        confidence=0.01,
        listed="no",
        focus=None,
        reason="Confidence 0.01 is below 0.02. Lowered most by <b>depth</b>.",
    )
    return replace(made, foci=Table(foci), candidates=Table([candidate]))


def go(browser, address):
    """Go to an address in a fresh page."""
    for url in ("about:blank", address):
        browser.events.clear()
        browser.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in browser.events):
            browser.events.append(browser._next())


def mouse(page, kind, x, y, **more):
    given = {"button": "left", "buttons": 1, "clickCount": 1, **more}
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **given)


def drag(page, start, end):
    """Drag the pointer between two positions on the screen."""
    mouse(page, "mousePressed", *start)
    for share in (0.5, 1.0):
        at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        mouse(page, "mouseMoved", *at)
    mouse(page, "mouseReleased", *end)


def on_screen(page, x, y):
    """Return where an image pixel is on the screen."""
    return page.get(
        f"""(() => {{ const {{ left, top, width, height }} = stage.getBoundingClientRect();
        return [left + width / 2 + ({x} - view.x) * view.scale,
          top + height / 2 + ({y} - view.y) * view.scale]; }})()"""
    )


def image_pixel(page, x, y):
    """Return the image pixel at a position on the screen."""
    at = page.get(f"imagePoint({{ clientX: {x}, clientY: {y} }})")
    return np.array([at["x"], at["y"]])


def touch(page, kind, *points):
    page.call(
        "Input.dispatchTouchEvent",
        type=kind,
        touchPoints=[{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)],
    )


def tile(page, name):
    return page.get(f"document.getElementById('count-{name}').textContent")
