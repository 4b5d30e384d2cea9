import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.documents.steps import WIDTH, Stages, encode, main, pictures
from usmicro.loading import load
from usmicro.model.scan import Spacing
from usmicro.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def stages(sample_data) -> Stages:
    return Stages.of(
        load(sample_data / "mass_calipers.png", spacing=Spacing(0.07, 0.07, "given")), Settings()
    )


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("steps-*.png"))


def test_the_document_shows_what_the_command_writes(sample_data, tmp_path, capsys):
    assert main([str(sample_data / "mass_calipers.png"), str(tmp_path), "--spacing", "0.07"]) == 0
    assert re.fullmatch(r"\d+ blobs, \d+ candidates, \d+ foci listed\n", capsys.readouterr().out)
    shown = re.findall(
        r"\(images/(steps-[^)]+)\)", (DOCS / "method.md").read_text(encoding="utf-8")
    )
    assert shown == names(tmp_path) == names(DOCS / "images")
    for name in shown:
        with Image.open(tmp_path / name) as written, Image.open(DOCS / "images" / name) as kept:
            assert written.size == kept.size
        assert (DOCS / "images" / name).stat().st_size < 150_000


def test_the_stages_are_those_of_the_analysis(stages):
    listed, foci = stages.listed, stages.analysis.foci
    x, y = stages.view.grid.to_image(listed.x, listed.y)
    np.testing.assert_allclose(
        sorted(zip(x, y, strict=True)), sorted((focus.x_px, focus.y_px) for focus in foci)
    )


def test_every_picture_shows_something_of_its_own(stages):
    drawn = dict(pictures(stages))
    assert all(picture.shape[1] == WIDTH and picture.shape[2] == 3 for picture in drawn.values())
    coloured = {
        name: int(np.count_nonzero(np.ptp(picture.astype(int), axis=2) > 60))
        for name, picture in drawn.items()
    }
    assert coloured.pop("scan-as-read") < 100  # a grey scan with a few yellow marks
    assert min(coloured.values()) > 1000
    assert len({picture.tobytes() for picture in drawn.values()}) == len(drawn)


def test_a_file_keeps_the_colours_of_the_marks(stages):
    drawn = dict(pictures(stages))["labels"]
    with Image.open(io.BytesIO(encode(drawn))) as file:
        kept = np.asarray(file.convert("RGB")).astype(int)
    assert np.abs(kept - drawn).mean() < 12
    assert np.count_nonzero(np.ptp(kept, axis=2) > 60) > 200


def test_a_scan_that_cannot_be_read_is_named(tmp_path, capsys):
    assert main([str(tmp_path / "none.png"), str(tmp_path)]) == 2
    assert "none.png" in capsys.readouterr().err
