"""File names, links and numbers of files that are hard to handle."""

import os
import sys

import pytest

import usmicro
from tests.helpers.run_outputs import table

pytestmark = [
    pytest.mark.usefixtures("fake_analysis"),
    pytest.mark.skipif(os.name != "posix", reason="names that only POSIX has"),
]

NAMES = (
    "<script>alert(1)</script>.png".replace("/", ""),
    "line\nbreak.png",
    "\x1b[2J\x1b]0;title\x07.png",
    "..png",
    "...dcm.png",
    "=1+2.png",
    "a" * 251 + ".png",
    "-rf.png",
    "%s%n.png",
    "con.png",
    " leading and trailing .png",
)


def test_odd_file_names_are_handled(tmp_path, write_scan, capsys):
    scans = tmp_path / "scans"
    for seed, name in enumerate(NAMES):
        write_scan(tmp_path / "plain.png", seed)
        scans.mkdir(exist_ok=True)
        os.rename(tmp_path / "plain.png", scans / name)
    os.rename(scans / "con.png", os.fsencode(scans) + b"/caf\xe9.png")
    (scans / "\x1b[2J broken.png").write_bytes(b"no image")
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, quiet=False))
    found = table(tmp_path / "r" / "images.csv")
    assert len(found) == len([name for name in NAMES if not name.startswith(".")]) + 1
    assert [row["status"] for row in found].count("failed") == 1
    assert "\x1b" not in capsys.readouterr().err  # names send no commands to the terminal
    inside = os.path.realpath(tmp_path / "r")
    written = [path for path in (tmp_path / "r").rglob("*") if path.is_file()]
    assert all(os.path.realpath(path).startswith(inside) for path in written)
    assert sum(path.parent.name == "overlays" for path in written) == len(found) - 1


def test_circular_links_are_left_out_and_dangling_links_get_a_row(tmp_path, write_scan):
    scans = tmp_path / "scans"
    write_scan(scans / "a" / "one.png", 1)
    (scans / "a" / "loop").symlink_to(scans)
    (scans / "a" / "self").symlink_to(scans / "a")
    (scans / "here.png").symlink_to("here.png")
    (scans / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(scans / "pipe.png")
    list(usmicro.run(scans, out=tmp_path / "r", workers=1))
    assert {row["image"]: row["status"] for row in table(tmp_path / "r" / "images.csv")} == {
        "a/one.png": "ok", "gone.png": "failed", "here.png": "failed",
    }  # fmt: skip


def test_a_path_with_dots_stays_in_the_output(tmp_path, write_scan):
    write_scan(tmp_path / "scans" / "one.png", 1)
    write_scan(tmp_path / "outside.png", 2)
    inputs = [
        str(tmp_path / "scans" / ".." / "outside.png"),
        str(tmp_path / "scans" / "." / "one.png"),
    ]
    list(usmicro.run(inputs, out=tmp_path / "r", workers=1))
    overlays = tmp_path / "r" / "overlays"
    assert {path.relative_to(overlays).as_posix() for path in overlays.rglob("*")} == {
        "one.png",
        "outside.png",
    }


def test_a_file_and_a_folder_may_have_the_same_stem(tmp_path, write_scan):
    write_scan(tmp_path / "scans" / "x.bmp", 1)
    write_scan(tmp_path / "scans" / "x.png" / "y.png", 2)
    list(usmicro.run(tmp_path / "scans", out=tmp_path / "r", workers=1))
    assert [row["status"] for row in table(tmp_path / "r" / "images.csv")] == ["ok", "ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
@pytest.mark.slow
def test_listing_thousands_of_files_needs_little_memory(tmp_path):
    """Listing takes about one kilobyte of memory for each file."""
    from usmicro.batch.inputs import make_jobs
    from usmicro.settings import Settings

    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(20_000):
        (scans / f"scan number {number:06d}.png").write_bytes(b"")
    before = memory()
    jobs, *_ = make_jobs([scans], out=tmp_path / "r", settings=Settings())
    assert len(jobs) == 20_000
    assert memory() - before < 20_000 * 3000


def memory() -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
