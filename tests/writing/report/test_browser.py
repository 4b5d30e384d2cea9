"""The report in a browser.

A script that is added to the page uses the controls and writes its observations into the page.
"""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from tests.helpers.finished_analysis import made_analysis
from tests.helpers.made_run import HOSTILE, make_run
from usmicro.writing.report.page import write_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium is installed: apt-get install chromium"
)

HELPERS = """
const found = {};
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const set = (id, value) => {
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const cardElements = () => [...document.querySelectorAll("#cards > li")];
const cards = () => cardElements().map((card) => card.dataset.image);
const cardOf = (name) => cardElements().find((card) => card.dataset.image === name);
const open = (name) => cardOf(name).querySelector("button").click();
const marker = (number) => document.querySelector(`.marker[data-focus="${number}"]`);
const press = (element, key) => {
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
};
const box = () => scene.getAttribute("viewBox").split(" ").map(Number);
const drawn = (layer) => [...scene.querySelectorAll(`[data-layer="${layer}"]`)];
const seen = (element) => getComputedStyle(element).display !== "none";
const report = () => {
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = btoa(encodeURIComponent(JSON.stringify(found)));
  document.body.append(out);
};
window.addEventListener("error", (event) => { found.error = event.message; });
"""


def used(page: Path, actions: str) -> dict[str, Any]:
    """Open a page, run a script in it, and return the object `found` of the script.

    Any error of the page is a failure.
    """
    steps = f"try {{ {actions} }} catch (error) {{ found.error = String(error); }} report();"
    script = f"<script>{HELPERS} (async () => {{ {steps} }})();</script>"
    driven = page.with_name(f"driven-{page.name}")
    driven.write_text(
        page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>"), encoding="utf-8"
    )
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--virtual-time-budget=6000",
        "--window-size=1400,1000",
    ]
    command = [
        str(BROWSER),
        "--headless",
        *options,
        f"--user-data-dir={page.parent / 'profile'}",
        "--dump-dom",
        driven.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    printed, log = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    assert [line for line in log.splitlines() if "CONSOLE" in line] == []
    noted = re.search(r'<pre id="found">([^<]*)</pre>', printed)
    assert noted, printed[-500:]
    result = json.loads(unquote(base64.b64decode(noted[1]).decode()))
    assert "error" not in result, result["error"]
    return result


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A report that no test changes."""
    run = make_run(tmp_path_factory.mktemp("report") / "r", made_analysis(), copies=150)
    return write_report(run)


def test_the_gallery_is_filtered_and_sorted_and_cards_are_added(page):
    found = used(
        page,
        """
        found.first = cards().length; found.said = byId("card-count").textContent;
        byId("more").click(); found.all = cards().length; found.more = byId("more").hidden;
        set("name-filter", "PLAIN/0000"); found.named = cards();
        set("order", "down"); found.turned = cards();
        byId("reset").click(); await wait(50); found.reset = cards().length;
        set("status-filter", "failed"); found.failed = cards();
        found.reason = document.querySelector(".card .error").textContent;
        found.control = document.querySelectorAll("#cards button").length;
        set("status-filter", ""); set("foci-filter", "none"); found.none = cards().length;
        set("foci-filter", "twinkling"); found.twinkling = byId("card-count").textContent;
        set("mass-filter", "no"); found.without = cards().length;
        set("mass-filter", ""); set("foci-filter", ""); set("sort", "calcification_score");
        set("order", "down"); byId("more").click();
        found.last = cards().at(-1);
        found.lazy = document.querySelectorAll("#cards img:not([loading=lazy])").length;
        found.images = document.querySelectorAll("#cards img").length;
        """,
    )
    assert (found["first"], found["all"], found["more"], found["reset"]) == (100, 155, True, 100)
    assert found["said"] == "Showing 100 of 155 images"
    names = [f"plain/{number:05d}.png" for number in range(10)]
    assert found["named"] == names
    assert found["turned"] == names[::-1]
    assert (found["failed"], found["control"]) == ([HOSTILE[2]], 0)
    assert found["reason"] == "refused <b>for</b> a test & more"
    assert found["none"] == found["without"] == 0
    assert found["twinkling"] == "Showing 100 of 154 images (of 155)"
    assert found["last"] == HOSTILE[2]
    assert (found["lazy"], found["images"]) == (0, 154)


def test_images_of_any_name_open_with_their_picture(page):
    names = [HOSTILE[0], HOSTILE[1], HOSTILE[3], "caf\\udce9.png", "plain/00003.png"]
    found = used(
        page,
        f"""
        found.images = [];
        for (const name of {json.dumps(names)}) {{
          set("name-filter", name);
          const one = {{ before: document.querySelectorAll(".marker").length }};
          open(name); await wait(300);
          one.title = byId("viewer-title").textContent;
          one.marks = document.querySelectorAll(".marker").length;
          one.fallback = byId("fallback").hidden; one.href = base.getAttribute("href");
          one.open = byId("viewer").open;
          const probe = new Image();
          await new Promise((done) => {{ probe.onload = probe.onerror = done; probe.src = one.href;
          }});
          one.size = [probe.naturalWidth, probe.naturalHeight];
          one.files = [...document.querySelectorAll(".files a")].map((link) => link.textContent);
          found.images.push(one);
        }}
        """,
    )
    assert [one["title"] for one in found["images"]] == names
    assert found["images"][0]["before"] == 0
    for one in found["images"]:
        assert (one["marks"], one["fallback"], one["open"]) == (3, True, True)
        assert one["href"].startswith("report/images/")
        assert one["size"] == [640, 360]
        assert len(one["files"]) == 3


def test_switched_layers_apply_to_the_next_image(page):
    found = used(
        page,
        """
        open("plain/00000.png"); await wait(50);
        const inputs = () => [...document.querySelectorAll("#layers [data-toggles]")];
        const named = (input) => [input.dataset.toggles, input];
        const boxes = () => Object.fromEntries(inputs().map(named));
        found.layers = Object.keys(boxes());
        const state = (layer) => [layer, drawn(layer).every(seen)];
        const states = () => Object.fromEntries(found.layers.map(state));
        found.on = states();
        for (const layer of ["extramass", "mass", "numbers"]) boxes()[layer].click();
        found.off = states();
        byId("next").click(); found.title = byId("viewer-title").textContent; found.next = states();
        document.querySelector('tr[data-focus="2"]').click(); found.revealed = states();
        """,
    )
    layers = [
        "intramass",
        "extramass",
        "intraductal",
        "mass",
        "duct",
        "nonmass area",
        "shadow",
        "twinkling",
        "numbers",
    ]
    assert found["layers"] == layers
    assert found["on"] == dict.fromkeys(layers, True)
    assert (
        found["off"]
        == found["next"]
        == {**found["on"], "extramass": False, "mass": False, "numbers": False}
    )
    assert found["title"] == "plain/00001.png"
    assert found["revealed"]["extramass"]


def test_a_shadow_is_a_strip_along_the_scan_line(page):
    found = used(
        page,
        """
        open("plain/00000.png"); await wait(50);
        const box = (path) => { const b = path.getBBox();
        return [b.x + b.width / 2, b.y, b.width, b.height]; };
        const strips = drawn("shadow").filter((element) => element.matches(".shadow-strip"));
        found.straight = strips.map(box);
        current.geometry = "sector"; current.apex = [foci[0].x_px - 100, foci[0].y_px - 100];
        found.slanted = shadowStrip(foci[0]); current.apex = null;
        found.unknown = shadowStrip(foci[0]);
        found.at = [foci[0].x_px, foci[0].y_px];
        """,
    )
    (x, y, width, height), *others = found["straight"]
    assert len(others) == 2
    assert (x, y) == (
        pytest.approx(found["at"][0], abs=0.2),
        pytest.approx(found["at"][1] + 0.25 / 0.08, abs=0.2),
    )  # 0.5 mm wide
    assert (width, height) == (
        pytest.approx(0.5 / 0.08, abs=0.2),
        pytest.approx(4 / 0.08, abs=0.2),
    )  # 4 mm long
    corners = np.array(re.findall(r"([\d.]+) ([\d.]+)", found["slanted"]), float)
    middle = corners.mean(axis=0) - found["at"]
    assert middle == pytest.approx(np.full(2, (0.25 + 2) / 0.08 / np.sqrt(2)), abs=0.2)
    assert found["unknown"] == ""


def test_pointer_and_keyboard_show_the_evidence_of_a_focus(page):
    found = used(
        page,
        """
        open("plain/00000.png"); await wait(50);
        marker(1).dispatchEvent(new MouseEvent("mouseenter"));
        found.hover = byId("tip").textContent;
        found.shown = !byId("tip").hidden;
        marker(1).dispatchEvent(new MouseEvent("mouseleave")); found.left = byId("tip").hidden;
        marker(2).focus(); await wait(100);
        found.focused = byId("tip").hidden ? "" : byId("tip").textContent;
        found.label = marker(2).getAttribute("aria-label");
        found.tabindex = marker(2).tabIndex;
        press(marker(2), "Enter"); found.evidence = byId("evidence").textContent;
        found.row = document.querySelector("tr.selected").dataset.focus;
        const tip = byId("tip").getBoundingClientRect(), around = stage.getBoundingClientRect();
        found.inside = tip.left >= around.left && tip.right <= around.right
          && tip.top >= around.top && tip.bottom <= around.bottom;
        """,
    )
    for words in (
        "Focus 1: intramass",
        "inside mass 1, 2.1 mm",
        "Confidence0.88",
        "Label confidence0.75",
        "8.1 local units",
        "0.50 mm",
        "yes, p 0.0010",
        "yes",
    ):
        assert words in found["hover"]
    assert found["shown"]
    assert found["left"]
    assert "Focus 2: extramass" in found["focused"]
    assert found["label"].startswith("Focus 2, extramass, confidence 0.88. inside mass 1")
    assert (found["tabindex"], found["row"], found["inside"]) == (0, "2", True)
    assert "False alarm1.2e-7" in found["evidence"]
    assert "Shadow: Darker than both flanks" in found["evidence"]
    assert "Twinkling: No colour Doppler" in found["evidence"]


def test_zoom_and_rows_move_the_picture(page):
    found = used(
        page,
        """
        open("plain/00000.png"); await wait(50);
        found.fit = box();
        press(stage, "+"); found.plus = box(); press(stage, "ArrowRight"); found.right = box();
        press(stage, "0"); found.zero = box();
        byId("zoom-in").click(); found.button = box(); byId("zoom-fit").click();
        const wheel = { deltaY: -100, clientX: 400, clientY: 400, cancelable: true };
        stage.dispatchEvent(new WheelEvent("wheel", wheel));
        found.wheel = box();
        byId("zoom-fit").click();
        document.querySelector('tr[data-focus="3"] button').click(); found.row = box();
        found.chosen = marker(3).classList.contains("selected");
        const at = marker(3).getBoundingClientRect(), around = stage.getBoundingClientRect();
        const dx = at.x + at.width / 2 - around.x - around.width / 2;
        const dy = at.y + at.height / 2 - around.y - around.height / 2;
        found.off = Math.hypot(dx, dy);
        const rows = () => [...document.querySelectorAll("tr[data-focus]")];
        const order = () => rows().map((row) => row.dataset.focus).join("");
        const heads = [...document.querySelectorAll("#tables th button")];
        const head = heads.find((button) => button.textContent === "Label");
        head.click(); found.up = order(); head.click(); found.down = order();
        found.sorted = head.parentElement.getAttribute("aria-sort");
        found.scale = byId("scale-bar").hidden ? "" : byId("scale-bar").textContent;
        press(byId("viewer"), "PageDown"); found.page = byId("viewer-title").textContent;
        byId("close").click(); await wait(50); found.open = byId("viewer").open;
        """,
    )
    assert found["plus"][2] < found["fit"][2]
    assert found["right"][0] > found["plus"][0]
    assert found["zero"] == found["fit"]
    assert found["button"][2] < found["fit"][2]
    assert found["wheel"][2] < found["fit"][2]
    assert found["row"][2] < found["fit"][2] / 2.5
    assert found["chosen"]
    assert found["off"] < 30
    assert (found["up"], found["down"], found["sorted"]) == ("231", "132", "descending")
    assert found["scale"].endswith(" mm")
    assert (found["page"], found["open"]) == ("plain/00001.png", False)


def test_a_page_moved_alone_shows_thumbnails(page, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "report.html"
    moved.write_bytes(page.read_bytes())
    found = used(
        moved,
        """
        open("plain/00000.png"); await wait(500);
        found.href = base.getAttribute("href").slice(0, 16);
        found.said = byId("fallback").hidden ? "" : byId("fallback").textContent;
        found.links = document.querySelectorAll(".files").length;
        found.marks = document.querySelectorAll(".marker").length;
        """,
    )
    assert found["href"] == "data:image/jpeg;"
    assert "thumbnail" in found["said"]
    assert (found["links"], found["marks"]) == (0, 3)
