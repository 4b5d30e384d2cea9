"""Pictures of the review for docs/review.md: `python -m benchmarks.documents.review docs/images`.

It analyses sample scans, opens the report in a headless Chromium and reviews them with keys and
the pointer. It takes half a minute and needs Chromium on the PATH, which the driver of the tests
controls.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

import usmicro
from tests.helpers.chromium import Chromium
from usmicro.writing import write_atomically

SAMPLES = Path(__file__).parents[2] / "sample_data"
SCANS = ("mass_linear.png", "mass_sector.png")
"""Sample scans of the pictures: one with several foci in a mass, and one beside it."""
WIDTH, HEIGHT = 1200, 760
"""Size of the window, pixels: as wide as a page of the documentation on a large screen."""
QUALITY = 74
"""JPEG quality: text stays sharp, and a picture stays below 150 kB."""


def shoot(browser: Chromium, file: Path) -> None:
    """Write the window as JPEG."""
    browser.get("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
    picture = cv2.imdecode(np.frombuffer(browser.picture(), np.uint8), cv2.IMREAD_COLOR)
    done, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV can encode every 8-bit image as JPEG"
    write_atomically(file, content.tobytes())
    print(f"{file}: {len(content) / 1000:.0f} kB")


def press(browser: Chromium, keys: str) -> None:
    """Press keys one after another."""
    for key in keys:
        browser.key(key)


def write_pictures(folder: Path) -> None:
    """Write the pictures into a folder."""
    with tempfile.TemporaryDirectory() as work:
        results = Path(work) / "results"
        list(
            usmicro.run(
                [SAMPLES / name for name in SCANS], out=results, spacing=SAMPLES / "spacing.csv"
            )
        )
        browser = Chromium()
        try:
            browser.resize(WIDTH, HEIGHT)
            browser.open(results / "report.html")
            browser.get("changeReader('AB')")
            name = json.dumps(SCANS[0])
            browser.get(f"openImage(data.images.find(({{ image }}) => image === {name}))")
            press(browser, "naar")  # accept two findings and reject one
            shoot(browser, folder / "review-decide.jpg")
            press(browser, "0m")
            left, top, width, height = browser.get(
                "(({ left, top, width, height }) => [left, top, width, height])"
                "(stage.getBoundingClientRect())"
            )
            at = left + 0.3 * width, top + 0.62 * height
            browser.drag(at, (at[0] + 12, at[1]))
            press(browser, "2")
            press(browser, "C")
            browser.type("faint, seen in both planes")
            browser.key("Escape")
            shoot(browser, folder / "review-add.jpg")
            press(browser, "myAv")
            browser.key("Escape")
            browser.get("changeSettings({ blind: true })")
            browser.get("byId('gallery').scrollIntoView()")
            shoot(browser, folder / "review-blind.jpg")
        finally:
            browser.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents.review")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder for the pictures")
    write_pictures(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
