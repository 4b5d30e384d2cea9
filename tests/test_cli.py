import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

import usmicro
from usmicro import cli

COMMANDS = (
    "run",
    "evaluate",
    "compare",
    "inspect",
    "sample",
    "report",
    "pseudonyms",
    "warmup",
    "settings",
)


@pytest.fixture
def scan(tmp_path) -> Path:
    """A plain scan: speckle in a black frame."""
    image = np.zeros((360, 480), np.uint8)
    speckle = np.random.default_rng(2).rayleigh(1.0, (320, 440)) + 0.1
    image[20:340, 20:460] = np.clip(
        60 + 40 * cv2.GaussianBlur(np.log(speckle), (0, 0), 1.5), 0, 255
    )
    (tmp_path / "scans").mkdir()
    path = tmp_path / "scans" / "scan.png"
    cv2.imwrite(str(path), image)
    return path


def exit_status(*arguments) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as exit_:  # how argparse ends
        return int(exit_.code or 0)


def test_importing_usmicro_imports_nothing_heavy():
    heavy = {"numpy", "cv2", "numba", "scipy", "skimage", "pydicom"}
    program = "import sys, usmicro, usmicro.cli; usmicro.cli.make_parser(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "usmicro.cli" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())


def test_version(capsys):
    assert exit_status("--version") == 0
    assert capsys.readouterr().out == f"usmicro {usmicro.__version__}\n"


def test_help_names_every_command_and_option(capsys):
    assert exit_status("--help") == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert "research only" in text
    for command in COMMANDS:
        assert exit_status(command, "--help") == 0
    exit_status("run", "--help")
    text = capsys.readouterr().out
    options = [
        "--out",
        "--settings",
        "--set",
        "--workers",
        "--spacing",
        "--masks",
        "--cluster",
        "--pseudonyms",
        "--profile",
        "--resume",
        "--overwrite",
        "--limit",
        "--dicom",
        "--coco",
        "--quiet",
    ]
    assert all(option in text for option in options)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("walk",),
        ("run", "x"),
        ("run", "x", "--out", "r", "--resume", "--overwrite"),
        ("run", "x", "--out", "r", "--workers", "many"),
        ("inspect",),
    ],
)
def test_wrong_usage_has_status_2(arguments, capsys):
    assert exit_status(*arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "gone", "--out", "r"), "gone"),
        (("run", "SCAN", "--out", "r", "--set", "foci.smalest=1"), "smalest"),
        (("run", "SCAN", "--out", "r", "--settings", "gone.toml"), r"gone.toml"),
        (("run", "SCAN", "--out", "r", "--spacing", "-1"), "above 0"),
        (("run", "SCAN", "--out", "r", "--workers", "0"), "--workers 0"),
        (("run", "SCAN", "--out", "SCAN"), "found a file"),
    ],
)
def test_wrong_arguments_have_status_2_and_write_nothing(
    scan, arguments, message, capsys, monkeypatch
):
    monkeypatch.chdir(scan.parent)
    assert (
        exit_status(*(str(scan) if argument == "SCAN" else argument for argument in arguments)) == 2
    )
    error = capsys.readouterr().err
    assert error.startswith("usmicro: error: ")
    assert message in error
    assert [path.name for path in scan.parent.iterdir()] == ["scan.png"]


def test_a_run_prints_counts_and_where_its_results_are(scan, tmp_path, capsys):
    assert exit_status("run", scan.parent, "--out", tmp_path / "r", "--workers", 1) == 0
    out = capsys.readouterr().out
    assert "1 of 1 image done" in out
    assert str(tmp_path / "r") in out
    assert (tmp_path / "r" / "images.csv").read_text().splitlines()[1].startswith("scan.png,ok,")


def test_a_run_inside_a_program_leaves_the_threads_of_numba_alone(scan, tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    importlib.import_module("numba")
    assert exit_status("run", scan.parent, "--out", tmp_path / "r", "--workers", 1) == 0
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_workers_do_not_change_the_tables(scan, tmp_path):
    cv2.imwrite(str(scan.parent / "turned.png"), cv2.imread(str(scan))[:, ::-1])
    spots = cv2.imread(str(scan), cv2.IMREAD_GRAYSCALE)
    for x, y in ((120, 90), (300, 150), (220, 240)):
        cv2.circle(spots, (x, y), 3, 255, -1)
    cv2.imwrite(str(scan.parent / "spots.png"), cv2.GaussianBlur(spots, (0, 0), 1))
    for workers in (1, 2):
        options = (
            "--workers",
            workers,
            "--spacing",
            0.1,
            "--set",
            "foci.minimum_confidence=0",
            "--quiet",
        )
        assert exit_status("run", scan.parent, "--out", tmp_path / str(workers), *options) == 0
    one, two = (
        {
            name: (tmp_path / workers / name).read_bytes()
            for name in ("foci.csv", "masses.csv", "overlays/spots.png", "masks/spots.png")
        }
        for workers in "12"
    )
    assert one == two
    assert one["foci.csv"].count(b"\nspots.png,") >= 3


def test_a_file_that_fails_gives_status_1_and_its_reason(scan, tmp_path, capsys):
    (scan.parent / "empty.png").write_bytes(b"")
    assert exit_status("run", scan.parent, "--out", tmp_path / "r", "--workers", 1) == 1
    printed = capsys.readouterr()
    assert "failed: empty.png: " in printed.err
    assert "1 failed" in printed.out
    assert "Traceback" not in printed.err


def test_the_report_is_rebuilt(scan, tmp_path, capsys):
    (scan.parent / "empty.png").write_bytes(b"")
    assert exit_status("run", scan.parent, "--out", tmp_path / "r", "--workers", 1, "--quiet") == 1
    report = tmp_path / "r" / "report.html"
    written = report.read_bytes()
    assert b"scan.png" in written
    report.unlink()
    scan.unlink()  # it needs no input
    capsys.readouterr()
    assert exit_status("report", tmp_path / "r") == 0
    assert str(report) in capsys.readouterr().out
    assert report.read_bytes() == written


def test_a_report_of_a_folder_without_a_run_has_status_2(scan, tmp_path, capsys):
    for folder in (scan.parent, scan, tmp_path / "gone"):
        assert exit_status("report", folder) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"usmicro: error: {folder}: contains no run of usmicro")
    assert [path.name for path in scan.parent.iterdir()] == ["scan.png"]


def test_quiet_prints_nothing(scan, tmp_path, capsys):
    assert exit_status("run", scan, "--out", tmp_path / "r", "--workers", 1, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_an_internal_error_is_one_line(scan, monkeypatch, capsys):
    def broken(*_, **__):
        raise ZeroDivisionError("made for a test")

    monkeypatch.setattr("usmicro.inspection.inspect", broken)
    assert exit_status("inspect", scan) == 1
    error = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: made for a test (" in error
    assert error.count("\n") == 1


def test_settings_are_printed_as_toml(capsys):
    assert exit_status("settings") == 0
    assert (
        tomllib.loads(capsys.readouterr().out)["foci"]["smallest"]
        == usmicro.Settings().foci.smallest
    )


def test_inspect_prints_and_draws(scan, tmp_path, capsys):
    assert exit_status("inspect", scan, "--out", tmp_path / "p.png") == 0
    out = capsys.readouterr().out
    for words in ("360 rows x 480 columns", "grey, 8 bit", "unknown", "linear"):
        assert words in out
    picture = cv2.imread(str(tmp_path / "p.png"))
    assert picture.shape == (450, 600, 3)
    assert (np.ptp(picture.astype(int), axis=2) > 60).any()  # something coloured is drawn


def test_inspect_of_a_blank_scan_says_so(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "blank.png"), np.zeros((200, 300), np.uint8))
    assert exit_status("inspect", tmp_path / "blank.png", "--out", tmp_path / "p.png") == 0
    assert "no tissue" in capsys.readouterr().out


def test_inspect_of_a_file_that_is_no_scan_has_status_1(tmp_path, capsys):
    (tmp_path / "text.dcm").write_text("no scan")
    assert exit_status("inspect", tmp_path / "text.dcm") == 1
    assert "text.dcm" in capsys.readouterr().err


def test_sample_needs_an_empty_folder(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert exit_status("sample", tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_stages_of_a_profile_add_up_to_the_total(scan, tmp_path, capsys):
    assert exit_status("run", scan, "--out", tmp_path / "r", "--workers", 1, "--profile") == 0
    lines = capsys.readouterr().out.splitlines()
    table = [
        line.split()
        for line in lines[
            lines.index(next(line for line in lines if line.startswith("stage"))) + 1 :
        ]
    ]
    seconds = {
        words[0]: float(words[1]) for words in table if len(words) == 4 and words[2].endswith("%")
    }
    total = seconds.pop("total")
    assert {"loading", "preparation", "foci", "anatomy", "writing", "hashing", "other"} <= set(
        seconds
    )
    assert sum(seconds.values()) == pytest.approx(total, abs=0.05)


def test_pseudonyms_need_the_key(scan, tmp_path, capsys):
    assert exit_status("pseudonyms", tmp_path / "gone", scan) == 2
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "gone").exists()
