import base64
import re
import shutil
from html import unescape
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from tests.helpers.evaluated_run import make_run
from usmicro.evaluation import evaluate, gallery, metrics
from usmicro.evaluation.crops import Crops, Ring
from usmicro.evaluation.links import ReportLinks
from usmicro.model.anatomy import AreaLabel
from usmicro.writing import encode_png, write_atomically
from usmicro.writing.report.film import FILMS
from usmicro.writing.report.page import PICTURES, write_report
from usmicro.writing.report.pictures import encode_picture
from usmicro.writing.report.run import read_run

ODD = "sub folder/a&b +\u00e9#.png"
"""Name of an image with characters that mean something in addresses."""


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)


def add_picture(run, stem, shape=(80, 100), margin=10, spot=None):
    """Store picture and label image of an image whose tissue begins at `margin` pixels."""
    labels = np.full(shape, AreaLabel.TISSUE, np.uint8)
    labels[:margin], labels[:, :margin] = AreaLabel.NOT_TISSUE, AreaLabel.NOT_TISSUE
    labels[20:40, 20:40] = AreaLabel.MASS
    frame = np.full(shape, 60, np.uint8)
    if spot is not None:
        cv2.circle(frame, spot, 4, 255, -1)
    write_atomically(run / "masks" / f"{stem}.png", encode_png(labels))
    write_atomically(run / PICTURES / f"{stem}.jpg", encode_picture(frame, labels))


@pytest.fixture
def run(tmp_path):
    folder = make_run(tmp_path / "run", names=("a.png", ODD))
    add_picture(folder, "a", spot=(60, 40))
    add_picture(folder, ODD.removesuffix(".png"))
    write_report(folder)
    return folder


def page_of(run, tmp_path, *lines):
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(["image,x_px,y_px,diameter_px", *lines]), encoding="utf-8")
    evaluate(run, truth, out=tmp_path / "evaluated")
    return (tmp_path / "evaluated" / "evaluation.html").read_text(encoding="utf-8")


def tiles(page, heading):
    section = page.partition(f"<h2>{heading}</h2>")[2].partition("<h2>")[0]
    return re.findall(r'<figure class="tile.*?</figure>', section)


def test_false_and_missed_foci_link_to_their_image_in_the_report(run, tmp_path):
    page = page_of(run, tmp_path, "a.png,30,30,5", "a.png,90,70,5", f"{ODD},60,40,5")
    false, missed = tiles(page, "False foci"), tiles(page, "Missed foci")
    assert [re.findall(r"confidence (0\.\d+)", tile)[0] for tile in false] == ["0.90", "0.50"]
    address = unescape(re.findall('href="([^"#]+#[^"]+)"', false[0])[0])
    page_address, fragment = address.split("#")
    assert (tmp_path / "evaluated" / page_address).resolve() == (run / "report.html").resolve()
    image, focus = fragment.split("&")
    assert unquote(image) == f"image={ODD}"
    assert focus == "focus=1"
    (only,) = missed
    assert "mark 2" in only
    assert "#image=a.png" in only
    assert "http" not in page


def test_a_missed_focus_names_the_candidate_that_was_not_listed(run, tmp_path):
    text = (run / "foci.csv").read_text(encoding="utf-8")
    (run / "foci.csv").write_text(text.replace(",0.5,", ",0.01,"), encoding="utf-8")
    (tile,) = tiles(page_of(run, tmp_path, "a.png,60,40,5"), "Missed foci")
    assert "candidate 2 of confidence 0.01" in tile
    assert "focus=2" in tile


def test_a_gallery_is_limited_and_says_how_many_more_there_are(run, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_FOCI", 1)
    page = page_of(run, tmp_path, "a.png,,,", f"{ODD},,,")
    assert len(tiles(page, "False foci")) == 1
    assert "4 false foci, the most confident first. 3 more are in foci.csv." in page
    assert "<h2>Missed foci</h2>" in page
    assert tiles(page, "Missed foci") == []


def test_the_worst_masses_come_first_and_right_ones_are_left_out(run, tmp_path):
    truth = tmp_path / "truth" / "masks"
    truth.mkdir(parents=True)
    mask = np.zeros((80, 100), np.uint8)
    mask[20:40, 20:40] = 255
    cv2.imwrite(str(truth / "a.png"), mask)
    evaluate(run, truth.parent, out=tmp_path / "evaluated")
    page = (tmp_path / "evaluated" / "evaluation.html").read_text(encoding="utf-8")
    assert tiles(page, "Worst masses") == []
    mask[20:40, 30:40] = 0
    cv2.imwrite(str(truth / "a.png"), mask)
    (truth / ODD).parent.mkdir()
    cv2.imwrite(str(truth / ODD), np.zeros_like(mask))
    evaluate(run, truth.parent, out=tmp_path / "evaluated")
    page = (tmp_path / "evaluated" / "evaluation.html").read_text(encoding="utf-8")
    first, second = tiles(page, "Worst masses")
    assert "Dice 0.00, no true mass" in first
    assert "Dice 0.67" in second
    assert 'class="true"' in second
    assert 'class="found"' in second


@pytest.mark.parametrize("shape", [(80, 100), (1200, 1400)], ids=["as stored", "shrunk"])
def test_a_crop_shows_the_place_that_its_ring_marks(tmp_path, shape):
    folder = make_run(tmp_path / "run", names=("a.png",), shape=shape)
    add_picture(folder, "a", shape, margin=13, spot=(62, 43))
    run = read_run(folder)
    row = next(row for row in run.images if row["image"] == "a.png")
    crops = Crops(run)
    box = crops.around_focus(row, 62, 43, 5.0)
    svg = crops.draw("a.png", 0, box, [Ring("false", 62, 43, 5.0)], title="t")
    x, y, width, height = (
        float(re.findall(rf'<image [^>]*\b{name}="([^"]+)"', svg)[0])
        for name in ("x", "y", "width", "height")
    )
    data = base64.b64decode(re.findall('base64,([^"]+)', svg)[0])
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    rows, columns = np.nonzero(picture > 180)
    # SVG positions are those of edges, so that the middle of a pixel is at one half
    assert (columns.mean() + 0.5) * width / picture.shape[1] + x == pytest.approx(62.5, abs=0.7)
    assert (rows.mean() + 0.5) * height / picture.shape[0] + y == pytest.approx(43.5, abs=0.7)
    assert 'cx="62.5" cy="43.5"' in svg
    assert box[0] >= 13  # outside the tissue nothing is stored
    assert box[1] >= 13


def test_without_stored_pictures_the_tile_says_so_and_still_links(run, tmp_path):
    (run / PICTURES / "a.jpg").unlink()
    (tile,) = tiles(
        page_of(run, tmp_path, "a.png,90,70,5", "a.png,30,30,", "a.png,60,40,"), "Missed foci"
    )
    assert "The run has no picture" in tile
    assert "#image=a.png" in tile


def test_a_focus_on_another_frame_is_shown_if_the_film_has_the_frame(run, tmp_path):
    text = (run / "foci.csv").read_text(encoding="utf-8")
    (run / "foci.csv").write_text(text.replace("a.png,0,1,", "a.png,7,1,"), encoding="utf-8")
    first, second = tiles(page_of(run, tmp_path, "a.png,,,"), "False foci")
    assert "Frame 7 is not stored" in first
    assert "<svg" not in first
    assert "<svg" in second
    (run / FILMS / "a").mkdir(parents=True)
    shutil.copy(run / PICTURES / "a.jpg", run / FILMS / "a" / "000007.jpg")
    first, second = tiles(page_of(run, tmp_path, "a.png,,,"), "False foci")
    assert "<svg" in first
    assert "frame 7" in first


def test_links_lead_to_the_page_of_a_large_report(run, tmp_path, monkeypatch):
    from usmicro.writing.report import page

    monkeypatch.setattr(page, "MOST_ON_ONE", 1)
    monkeypatch.setattr(page, "PAGE_SIZE", 1)
    links = ReportLinks(read_run(run), run / "evaluation")
    assert links.link("a.png") == ""  # there are no such pages yet
    write_report(run)
    links = ReportLinks(read_run(run), run / "evaluation")
    assert links.link("a.png", 3) == "../report/page-001.html#image=a.png&focus=3"
    assert links.link(ODD).startswith("../report/page-003.html#image=sub%20folder%2Fa%26b")
    assert links.link("unknown.png") == ""
