"""Open the page of an evaluation in Chromium."""

import pytest

from tests.helpers.chromium import BROWSER, MISSING, Chromium
from tests.helpers.evaluated_run import NAMES, make_run
from usmicro.evaluation import evaluate, metrics

BOXES = """[...document.querySelectorAll(".plots figure")].map((figure) =>
    [".curve", ".mark"].map((name) => {
        const { x, y, width, height } = figure.querySelector(name).getBBox();
        return [x, y, x + width, y + height];
    }))"""
"""Left, top, right and bottom of the curve and of its dot, for each figure."""

pytestmark = pytest.mark.skipif(BROWSER is None, reason=MISSING)


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)
    truth = tmp_path / "truth"
    truth.mkdir()
    (truth / "marks.csv").write_text("image,x_px,y_px\na.png,30,30\na.png,5,5\nc.png,,\n")
    lines = [f"{name},{'in a mass' if name == 'a.png' else 'no'}" for name in NAMES]
    (truth / "labels.csv").write_text("\n".join(["image,calcification", *lines]))
    evaluate(make_run(tmp_path / "run"), truth, out=tmp_path / "out")
    return tmp_path / "out" / "evaluation.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_opens_without_errors_and_fits_the_width_of_a_phone(page, dark):
    chromium = Chromium()
    try:
        chromium.resize(420, 900, dark=dark)
        chromium.open(page)
        assert chromium.console_messages() == []
        assert chromium.get("document.documentElement.scrollWidth") <= 420
        # each curve has a dot, which lies on the curve
        for name in (".curve", ".mark"):
            assert chromium.get(f"document.querySelectorAll('{name}').length") == 2
        for (left, top, right, bottom), dot in chromium.get(BOXES):
            assert left - 6 <= dot[0] <= dot[2] <= right + 6
            assert top - 6 <= dot[1] <= dot[3] <= bottom + 6
    finally:
        chromium.close()
