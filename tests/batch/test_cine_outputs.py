"""Contact sheets and films in a run."""

import json
from dataclasses import replace

import pytest

from tests.helpers.run_outputs import content, run
from usmicro.phantom.samples import write_samples
from usmicro.settings import ReportSettings, Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cine")
    write_samples(folder / "samples")
    (folder / "scans").mkdir()
    for name in ("colour_cine.dcm", "mass_linear.png"):
        (folder / "samples" / name).rename(folder / "scans" / name)
    return folder / "scans"


def files(out):
    names = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return {name for name in names if name.startswith(("contact_sheets/", "report/frames/"))}


def film(count):
    return {f"report/frames/colour_cine/{frame:06d}.jpg" for frame in range(count)} | {
        "report/frames/colour_cine/cine.json"
    }


def test_cines_have_a_contact_sheet_and_a_film(scans, tmp_path):
    out = tmp_path / "r"
    run(scans, out)
    expected = {"contact_sheets/colour_cine.png"} | film(16)
    assert files(out) == expected
    page = (out / "report.html").read_text(encoding="utf-8")
    data = json.loads(page.split('id="report-data">')[1].split("</script>")[0])
    cine = next(image["cine"] for image in data["images"] if "cine" in image)
    assert cine["folder"] == "report/frames/colour_cine"
    assert sum("cine" in image for image in data["images"]) == 1

    before = content(out)
    (out / "report/frames/colour_cine/000003.jpg").unlink()
    run(scans, out, resume=True)
    assert content(out) == before
    assert files(out) == expected

    fewer = replace(Settings(), report=ReportSettings(frames=4))
    run(scans, out, overwrite=True, settings=fewer)
    assert len(files(out)) == 6
    none = replace(Settings(), report=ReportSettings(frames=0))
    run(scans, out, overwrite=True, settings=none)
    assert files(out) == {"contact_sheets/colour_cine.png"}
