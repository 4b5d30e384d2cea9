"""The public data sets, laid out as they are published, from simulated pictures."""

import numpy as np
import pytest

from tests.helpers.pictures import SHAPE, mask, speckle, write_png
from usmicro.loading.discover import search_scans
from usmicro.loading.masks import match_masks, read_masks


def coloured(colour):
    """Return a mask with one area in a colour on black."""
    return mask()[..., np.newaxis] // 255 * np.array(colour, np.uint8)


EMPTY, RED, GREEN = mask(0), coloured((255, 0, 0)), coloured((0, 255, 0))
BUSI = {
    "benign/benign (1).png": speckle(1),
    "benign/benign (1)_mask.png": mask(),
    "benign/benign (1)_mask_1.png": np.roll(mask(), 30, axis=1),
    "malignant/malignant (1).png": np.dstack([speckle(2)] * 3),
    "malignant/malignant (1)_mask.png": mask(),
    "normal/normal (1).png": speckle(3),
    "normal/normal (1)_mask.png": EMPTY,
}
BUS_BRA = {
    "Images/bus_0001-l.png": speckle(1),
    "Images/bus_0001-r.png": speckle(2),
    "Masks/mask_0001-l.png": mask() > 0,
    "Masks/mask_0001-r.png": mask() > 0,
}
BREAST = {
    "case001.png": np.dstack([speckle(1)] * 3 + [255 + EMPTY]),
    "case001_tumor.png": mask(),
    "case001_other1.png": np.roll(mask(), 30, axis=1),
    "case002.png": speckle(2),
    "case002_tumor1.png": mask(),
    "case002_tumor2.png": np.roll(mask(), 30, axis=1),
    "case003.png": speckle(3),
}
BUS_UCLM = {
    "images/ALWI_000.png": np.dstack([speckle(1)] * 3),
    "images/ALWI_001.png": speckle(2),
    "images/ALWI_002.png": speckle(3),
    "masks/ALWI_000.png": GREEN,
    "masks/ALWI_001.png": EMPTY,
    "masks/ALWI_002.png": RED + np.roll(GREEN, 30, axis=1),
}


@pytest.mark.parametrize(
    ("files", "inputs", "masks", "expected"),
    [
        pytest.param(BUSI, ".", ".", [2, 1, 0], id="BUSI"),
        pytest.param(BUS_BRA, "Images", "Masks", [1, 1], id="BUS-BRA"),
        pytest.param(BUS_BRA, ".", "Masks", [1, 1], id="BUS-BRA as a whole"),
        pytest.param(BREAST, ".", ".", [1, 2, None], id="BrEaST"),
        pytest.param(BUS_UCLM, "images", "masks", [1, 0, 2], id="BUS-UCLM"),
        pytest.param(BUS_UCLM, ".", "masks", [1, 0, 2], id="BUS-UCLM as a whole"),
    ],
)
def test_each_scan_has_its_masks(tmp_path, files, inputs, masks, expected):
    for name, picture in files.items():
        write_png(tmp_path / name, picture)
    scans = search_scans([tmp_path / inputs]).scans
    folder = tmp_path / masks
    assert len(scans) == len(expected)
    for scan, count in zip(scans, expected, strict=True):
        found = read_masks(folder, scan.name, SHAPE, scan=scan.path)
        assert (None if found is None else found.masses.max()) == count
    matches = match_masks(folder, [(scan.name, scan.path) for scan in scans])
    assert (matches.without_scan, matches.shared) == ((), ())
    assert len(matches.images_without) == expected.count(None)


def test_mask_of_another_size_fails_its_image_alone(tmp_path):
    for name, picture in BUS_UCLM.items():
        write_png(tmp_path / name, picture)
    write_png(tmp_path / "masks" / "ALWI_000.png", GREEN[:-1])
    import usmicro

    results = list(
        usmicro.run(tmp_path / "images", masks=tmp_path / "masks", out=tmp_path / "out", workers=1)
    )
    assert results[0].status == "failed"
    assert "39 rows x 60 columns, expected 40 x 60" in results[0].error
    assert not any("the mask has" in result.error for result in results[1:])
