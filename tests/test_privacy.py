"""No output contains patient data from tags, file names or pixels outside the tissue."""

import csv
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence

import usmicro
from usmicro import cli
from usmicro.batch.pseudonyms import (
    key_for_run,
    pseudonym,
    read_key,
    without_names,
    write_key,
)
from usmicro.errors import UsageError
from usmicro.loading.dicom import reader as dicom
from usmicro.phantom import Phantom, PhantomSettings, simulate, write_dicom, write_png

SECRETS = ("QUAXFORD", "Quaxford^Imelda", "ZZ-4711-93", "19530417", "St Quibble Clinic")
SCREEN = PhantomSettings(
    width=26.0,
    depth=26.0,
    spacing=0.1,
    fat=6.0,
    gland=12.0,
    screen=True,
    header=True,
    grey_bar=True,
    ducts=0,
    intraductal=0,
    intramass=2,
)
TEXT = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN", "OB"}
READ = {tag_for_keyword(keyword) for keyword in dicom._KEYWORDS.split()}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return simulate(6, SCREEN)


@pytest.fixture(scope="module")
def cine() -> Phantom:
    return simulate(6, replace(SCREEN, frames=3))


def with_header(phantom: Phantom, text: str) -> Phantom:
    """Return the same scan with a name burned in above the tissue and beside it."""
    frames = phantom.frames.copy()
    for frame in frames:
        frame[:56] = 0
        cv2.putText(frame, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
        cv2.putText(frame, text[::-1], (8, 42), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 200, 1)
    return replace(phantom, frames=frames)


def plant(file: Path, secret: str) -> None:
    """Write a secret into a DICOM file: into private tags, sequences and tags of text.

    Of the tags in the DICOM dictionary, those that the loader reads are left as they are.
    """
    dataset = pydicom.dcmread(file)
    values: dict[str, str | bytes] = {
        "DA": "19530417",
        "PN": "Quaxford^Imelda",
        "CS": secret.upper()[:16],
        "AE": secret[:16],
        "SH": secret[:16],
        "OB": secret.encode(),
    }
    with pydicom.config.disable_value_validation():
        for tag, (vr, *_) in DicomDictionary.items():
            if (
                vr not in TEXT | {"DA"}
                or tag in READ
                or tag < 0x00080000
                or tag >= 0x7FE00000
                or (tag in dataset and tag >> 16 == 0x0028)
            ):
                continue
            value = secret.encode() if vr == "UN" else values.get(vr, secret)
            dataset[tag] = DataElement(tag, vr, value)
        block = dataset.private_block(0x0011, secret, create=True)
        block.add_new(0x01, "LO", secret)
        inner = pydicom.Dataset()
        inner.PatientName = secret
        dataset.ReferencedStudySequence = Sequence([inner])
        dataset.preamble = secret.encode().ljust(128, b"\0")
        dataset.save_as(file)


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def leaks(content: bytes, secrets=SECRETS) -> list[str]:
    """Return the secrets that some bytes contain, in any common encoding of text."""
    lowered = content.lower()
    found = []
    for secret in secrets:
        forms = {
            secret.lower().encode(),
            secret.lower().encode("utf-16-le"),
            secret.lower().encode("utf-16-be"),
            secret.encode().hex().encode(),
        }
        found += [secret] if any(form in lowered for form in forms) else []
    return found


def run_all(scans: Path, out: Path, *more: str) -> str:
    """Run every command on scans; return everything that was printed."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert cli.main(["run", str(scans), "--out", str(out), "--workers", "1", *more]) in (0, 1)
        assert cli.main(["report", str(out)]) == 0
        for number, file in enumerate(sorted(path for path in scans.rglob("*") if path.is_file())):
            cli.main(["inspect", str(file), "--out", str(out / f"inspected{number}.png")])
    return said.getvalue()


def test_tags_and_pixels_outside_the_tissue_are_in_no_output(tmp_path, phantom, cine, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for name, header, secret in (
        ("one", "QUAXFORD IMELDA", "QUAXFORD"),
        ("other", "ANOTHER PATIENT", "SOMEBODY"),
    ):
        scans = tmp_path / name
        scans.mkdir()
        for compression in ("none", "rle"):
            file = write_dicom(
                with_header(phantom, header), scans / f"{compression}.dcm", compression=compression
            )
            plant(file, secret)
        write_png(with_header(phantom, header), scans / "still.png")
        plant(write_dicom(with_header(cine, header), scans / "cine.dcm"), secret)
    assert leaks((tmp_path / "one" / "none.dcm").read_bytes())  # the search does find secrets
    said = run_all(tmp_path / "one", tmp_path / "r1")
    run_all(tmp_path / "other", tmp_path / "r2")
    first, second = outputs(tmp_path / "r1"), outputs(tmp_path / "r2")
    rows = list(csv.DictReader(io.StringIO(first["images.csv"].decode())))
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert {"contact_sheets/cine.png", "report/frames/cine/000001.jpg"} <= set(first)
    assert {name: found for name, content in first.items() if (found := leaks(content))} == {}
    assert leaks(said.encode()) == []
    # scans that differ only in their headers give the same tables and pictures
    for name in first.keys() | second.keys():
        if name.endswith((".png", ".jpg", "cine.json")) and not name.startswith("inspected"):
            assert first[name] == second[name], name
    assert [first[f"{name}.csv"] for name in ("foci", "masses", "clusters")] == [
        second[f"{name}.csv"] for name in ("foci", "masses", "clusters")
    ]
    assert list(temporary.iterdir()) == []


DEVICE = {"Manufacturer", "ManufacturerModelName", "TransducerData", "TransducerType"}
"""Tags whose texts are columns of images.csv: facts on the device, never on the patient."""


@pytest.mark.parametrize("keyword", sorted(set(dicom._KEYWORDS.split()) - DEVICE))
def test_a_name_in_a_tag_that_is_read_is_not_quoted(tmp_path, phantom, keyword):
    file = write_dicom(phantom, tmp_path / "scan.dcm")
    dataset = pydicom.dcmread(file)
    with pydicom.config.disable_value_validation():
        dataset[keyword] = DataElement(tag_for_keyword(keyword), "LO", "Quaxford^Imelda")
        dataset.save_as(file)
    results = list(usmicro.run(file, out=tmp_path / "r", workers=1))
    assert {
        name: found
        for name, content in outputs(tmp_path / "r").items()
        if (found := leaks(content))
    } == {}
    assert leaks(results[0].error.encode()) == []


def test_a_damaged_file_is_not_quoted(tmp_path, phantom):
    """Error messages of libraries quote what they cannot read."""
    file = write_dicom(phantom, tmp_path / "scan.dcm")
    plant(file, "QUAXFORD")
    whole = file.read_bytes()
    scans = tmp_path / "scans"
    scans.mkdir()
    rng = np.random.default_rng(5)
    for number in range(60):
        damaged = bytearray(whole[: rng.integers(200, 20000)] if number % 2 else whole)
        for at in rng.integers(132, 3000, 6):
            damaged[at % len(damaged)] = rng.integers(256)
        (scans / f"{number}.dcm").write_bytes(damaged)
    said = run_all(scans, tmp_path / "r", "--limit", "60")
    assert {
        name: found
        for name, content in outputs(tmp_path / "r").items()
        if (found := leaks(content))
    } == {}
    assert leaks(said.encode()) == []


@pytest.fixture
def named_scans(tmp_path, phantom) -> Path:
    """A folder of scans whose names identify the patient; two of the scans fail."""
    folder = tmp_path / "scans" / "Quaxford^Imelda 19530417"
    folder.mkdir(parents=True)
    write_dicom(phantom, folder / "ZZ-4711-93.dcm")
    write_png(phantom, folder / "ZZ-4711-93 QUAXFORD.png")
    (folder / "QUAXFORD broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "QUAXFORD.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    return tmp_path / "scans"


def test_pseudonyms_hide_names_from_all_outputs(tmp_path, named_scans):
    masks = tmp_path / "masks QUAXFORD"
    (masks / "Quaxford^Imelda 19530417").mkdir(parents=True)
    outline = np.zeros(
        cv2.imread(str(next(named_scans.rglob("*93 QUAXFORD.png")))).shape[:2], np.uint8
    )
    outline[120:200, 100:200] = 255
    cv2.imwrite(str(masks / "Quaxford^Imelda 19530417" / "ZZ-4711-93 QUAXFORD.png"), outline)
    spacing = tmp_path / "QUAXFORD.csv"
    spacing.write_text("image,spacing_mm\nZZ-4711-93 QUAXFORD.png,0.1\nQUAXFORD gone.png,0.2\n")
    said = io.StringIO()
    out = tmp_path / "r"
    command = [
        "run",
        str(named_scans),
        "--out",
        str(out),
        "--pseudonyms",
        str(tmp_path / "key"),
        "--masks",
        str(masks),
    ]
    with redirect_stdout(said), redirect_stderr(said):
        assert cli.main([*command, "--spacing", str(spacing), "--workers", "1"]) == 1
        assert cli.main(["report", str(out)]) == 0
    found = outputs(out)
    assert {
        name: words for name, content in found.items() if (words := leaks(name.encode() + content))
    } == {}
    assert leaks(said.getvalue().replace(str(tmp_path), "").encode()) == []
    rows = list(csv.DictReader(io.StringIO(found["images.csv"].decode())))
    assert sorted(row["status"] for row in rows) == ["failed", "failed", "ok", "ok"]
    # scans of one folder stay together
    assert len({row["image"].partition("/")[0] for row in rows}) == 1
    given = [row for row in rows if row["spacing_source"] == "given"]
    assert [row["masses"] for row in given] == ["1"]  # found by the real name


def test_the_key_gives_the_names_back(tmp_path, named_scans, capsys):
    results = list(
        usmicro.run(named_scans, out=tmp_path / "r", workers=1, pseudonyms=tmp_path / "key")
    )
    assert cli.main(["pseudonyms", str(tmp_path / "key"), str(named_scans)]) == 0
    table = {
        row["image"]: row["input"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))
    }
    assert sorted(table) == sorted(result.image for result in results)
    assert sorted(table.values())[0] == "Quaxford^Imelda 19530417/QUAXFORD broken.png"


def test_pseudonyms_depend_on_the_key_and_the_folder():
    assert pseudonym("a/1.dcm", b"k" * 16) == pseudonym("a/1.dcm", b"k" * 16)
    assert pseudonym("a/1.dcm", b"k" * 16) != pseudonym("a/1.dcm", b"l" * 16)
    first, second = (pseudonym(name, b"k" * 16).split("/") for name in ("a/1.dcm", "b/1.dcm"))
    assert first[1] != second[1]
    # an ending that is no known file type may be a name
    assert pseudonym("Doe.Jane", b"k" * 16).count(".") == 0


def test_a_new_key_is_private_and_never_in_the_output_folder(tmp_path):
    key = key_for_run(tmp_path / "key")
    assert len(key) == 32
    assert not (tmp_path / "key").exists()
    for _ in range(2):
        write_key(tmp_path / "key", key)
        assert read_key(tmp_path / "key") == key_for_run(tmp_path / "key") == key
    with pytest.raises(UsageError, match="key was changed"):
        write_key(tmp_path / "key", bytes(32))
    if os.name == "posix":
        assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="output folder"):
        key_for_run(tmp_path / "r" / "key", out=tmp_path / "r")
    with pytest.raises(UsageError, match="new key cannot be written"):
        key_for_run(tmp_path / "gone" / "key")
    (tmp_path / "short").write_text("abcd")
    (tmp_path / "text").write_text("my secret")
    for name in ("short", "text"):
        with pytest.raises(UsageError, match="hexadecimal"):
            read_key(tmp_path / name)


def test_names_in_messages_are_replaced_in_any_form():
    text = without_names("cannot read /data/Jane Doe/SCAN1.dcm (scan1)", "Jane Doe/scan1.dcm", "p")
    assert not re.search(r"jane|doe|scan1", text, re.IGNORECASE)


@pytest.mark.skipif(sys.platform != "linux", reason="counts system calls by /proc")
def test_a_run_opens_no_network_connection(tmp_path, phantom):
    """A run is complete although every network socket is refused."""
    write_png(phantom, tmp_path / "scan.png")
    program = """
import socket, sys
real = socket.socket

class Refused(real):
    def __init__(self, family=-1, *rest, **options):
        if family != socket.AF_UNIX:
            raise SystemExit("a socket was opened")
        super().__init__(family, *rest, **options)

socket.socket = Refused
from usmicro.cli import main
sys.exit(main(sys.argv[1:]))
"""
    arguments = ["run", str(tmp_path / "scan.png"), "--out", str(tmp_path / "r"), "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
