from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.documents.doppler import NAME, SIDE_PX, main

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_shows_the_picture_and_the_table_that_the_command_writes(tmp_path, capsys):
    assert main([str(tmp_path)]) == 0
    page = (DOCS / "method.md").read_text(encoding="utf-8")
    assert f"(images/{NAME})" in page
    for line in capsys.readouterr().out.splitlines():
        assert line in page
    with Image.open(tmp_path / NAME) as written, Image.open(DOCS / "images" / NAME) as kept:
        assert written.size == kept.size == (2 * SIDE_PX, SIDE_PX)
        pixels = [np.asarray(image.convert("RGB"), float) for image in (written, kept)]
    assert np.abs(pixels[0] - pixels[1]).mean() < 2
