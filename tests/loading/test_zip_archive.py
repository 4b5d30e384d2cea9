import hashlib
import io
import os
import stat
import struct
import zipfile

import pytest

from tests.helpers.pictures import mask, speckle, write_png
from tests.loading.test_discover import dicom_object
from usmicro.errors import ScanError, UsageError
from usmicro.loading import load
from usmicro.loading.discover import search_scans
from usmicro.loading.zip_archive import member_hash, unpacked, zip_members
from usmicro.model.warnings import WarningCode

LIMIT_MB = 64


def write_zip(path, contents, method=zipfile.ZIP_DEFLATED):
    """Write an archive; contents are bytes by name, or pairs."""
    pairs = contents.items() if isinstance(contents, dict) else contents
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in pairs:
            archive.writestr(name, content)
    return path


def png(content=None):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(speckle() if content is None else content).save(stream, "png")
    return stream.getvalue()


def unpacked_bytes(path, number=0):
    with unpacked(path, zip_members(path)[number], largest_mb=LIMIT_MB) as copy:
        return copy.read_bytes()


def assert_refused(path, member, largest_mb, message):
    with pytest.raises(ScanError, match=message), unpacked(path, member, largest_mb=largest_mb):
        pytest.fail("unpacked")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 1, 2**18 - 1, 2**18, 3 * 2**18 + 7])
def test_content_is_unpacked_as_it_was(tmp_path, method, size):
    content = os.urandom(size // 2) + bytes(size - size // 2)
    path = write_zip(tmp_path / "a.zip", {"x/first.bin": b"first", "scan.png": content}, method)
    assert unpacked_bytes(path, 1) == content
    assert len(member_hash(path, zip_members(path)[1], largest_mb=LIMIT_MB)) == 64


def test_the_copy_is_private_and_goes_away(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"scan.png": b"content"})
    with unpacked(path, zip_members(path)[0], largest_mb=1) as copy:
        assert copy.suffix == ".png"
        if os.name == "posix":
            assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert not copy.parent.exists()


def test_names_lead_nowhere_else_and_are_unique(tmp_path):
    names = (
        "../../etc/passwd.png", "/root/a.png", "C:\\scans\\b.png", "./c/../d.png", "d.png",
        "c/d.png",
        "x" * 70 + "/" + "y/" * 600 + "e.png", "f.png", "f.png", "f (2).png", "..", "g:h.png",
    )  # fmt: skip
    with pytest.warns(UserWarning, match="Duplicate"):
        path = write_zip(tmp_path / "a.zip", [(name, name) for name in names])
    found = [member.name for member in zip_members(path)]
    assert found[:6] == [
        "etc/passwd.png", "root/a.png", "scans/b.png", "c/d.png", "d.png", "c/d (2).png"
    ]  # fmt: skip
    assert found[6].endswith("/e.png")
    assert len(found[6]) < 30
    assert found[7:] == ["f.png", "f (2).png", "f (2) (2).png", "unnamed", "g_h.png"]
    assert [unpacked_bytes(path, i).decode() for i in range(len(names))] == list(names)
    assert sorted(tmp_path.iterdir()) == [path]


def test_files_in_an_archive_are_found_as_in_a_folder(tmp_path):
    folder = tmp_path / "scans"
    for name, image in {
        "a/1.png": speckle(), "a/1_mask.png": mask(), "masks/2.png": mask(), "b/2.png": speckle(),
        "b/2_tumor_1.png": speckle(), "c/sub/only_mask.png": mask(), ".hidden.png": speckle(),
        "__MACOSX/a/._1.png": speckle(), "picture": speckle(),
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(image))
    for name in ("DICOMDIR", "notes.txt", "data.csv", "LOCKFILE", "viewer.exe"):
        (folder / name).write_text("text")
    (folder / "volume.mat").write_bytes(b"\0\1\2")
    (folder / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
    dicom_object(folder / "report.dcm", "1.2.840.10008.5.1.4.1.1.88.33")
    dicom_object(folder / "IM0002", "1.2.840.10008.5.1.4.1.1.11.1")
    for name in ("run.json", "run.sqlite", "old.png"):
        (folder / "results" / name).parent.mkdir(exist_ok=True)
        (folder / "results" / name).write_text('{"usmicro": "0.2"}')
    archive = write_zip(
        tmp_path / "export.zip",
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    )
    here, there = search_scans([folder]), search_scans([archive])
    assert [scan.name for scan in here.scans] == [scan.name for scan in there.scans]
    assert len(here.scans) == 6
    assert (here.masks, here.like_masks) == (there.masks, there.like_masks)
    assert here.passed_over == there.passed_over
    assert {scan.path for scan in there.scans} == {archive}


def test_archives_in_a_folder_are_named_like_folders(tmp_path):
    write_png(tmp_path / "scans" / "1.png", speckle())
    write_zip(tmp_path / "scans" / "x.ZIP", {"1.png": png(), "sub/2.png": png()})
    (tmp_path / "scans" / "old.zip").write_bytes(b"PK\3\4 cut off")
    search = search_scans([tmp_path / "scans"])
    assert [scan.name for scan in search.scans] == [
        "1.png", "old.zip", "x.ZIP/1.png", "x.ZIP/sub/2.png"
    ]  # fmt: skip
    with pytest.raises(ScanError, match=r"old\.zip: the zip archive cannot be read"):
        load(tmp_path / "scans" / "old.zip")


def test_scans_of_several_archives_get_the_names_of_the_archives_if_needed(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, {"1.png": png(), f"{name}.png": png()})
    search = search_scans([tmp_path / "*.zip", tmp_path / "a.zip"])
    assert [scan.name for scan in search.scans] == [
        "a.zip.png", "a.zip/1.png", "b.zip.png", "b.zip/1.png"
    ]  # fmt: skip


def test_archives_in_archives_are_passed_over_with_a_warning(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", {"1.png": png()}).read_bytes()
    search = search_scans([write_zip(tmp_path / "a.zip", {"1.png": png(), "b/in.zip": inner})])
    assert [scan.name for scan in search.scans] == ["1.png"]
    (warning,) = search.warnings()
    assert warning.code == WarningCode.FILES_PASSED_OVER
    assert warning.examples == ("1 zip in a zip (b/in.zip)",)


def test_archive_without_scans_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"a\.zip: no scan found.*1 other file"):
        search_scans([write_zip(tmp_path / "a.zip", {"notes.txt": b"text"})])
    with pytest.raises(UsageError, match="no scan found"):
        search_scans([write_zip(tmp_path / "b.zip", {})])


def test_load_says_what_to_do_with_an_archive(tmp_path):
    with pytest.raises(ScanError, match=r"found a zip archive; give it to `usmicro run`"):
        load(write_zip(tmp_path / "a.zip", {"1.png": png()}))


def test_encrypted_file_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.png": b"content"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"a\.zip/1\.png: is encrypted; unpack"):
        unpacked_bytes(path)
    assert [scan.name for scan in search_scans([path]).scans] == ["1.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path, method):
    path = write_zip(tmp_path / "a.zip", {"1.png": b"content"}, method)
    with pytest.raises(ScanError, match=f"found method {method}; unpack the zip"):
        unpacked_bytes(path)


def test_large_files_are_refused_before_they_are_unpacked(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.dcm": bytes(3 * 2**20)})
    assert_refused(
        path, zip_members(path)[0], 2, r"3 MB, above the limit of 2 MB.*largest_inflated = 3"
    )


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.dcm": b"x"})
    declared = struct.pack("<I", 1_000_000_000)
    data = bytearray(path.read_bytes())
    position = data.index(b"PK\1\2") + 24
    data[position : position + 4] = declared
    path.write_bytes(data)
    assert_refused(path, zip_members(path)[0], 2048, "500 times its size, as no scan does")


@pytest.mark.parametrize("declared", [10, 2**18 + 5])
def test_no_more_than_declared_is_unpacked(tmp_path, declared):
    """A size that is too small in the list stops unpacking at most one block later."""
    path = write_zip(tmp_path / "a.zip", {"1.dcm": bytes(2**22)})
    data = bytearray(path.read_bytes())
    position = data.index(b"PK\1\2") + 24
    data[position : position + 4] = struct.pack("<I", declared)
    path.write_bytes(data)
    assert_refused(path, zip_members(path)[0], 2048, "not that which the zip archive lists")


def test_files_that_overlap_are_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.png": png(), "2.png": png()}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\1\2") + 42
    data[second : second + 4] = struct.pack("<I", 0)
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"files in the zip archive overlap"):
        zip_members(path)


def test_damaged_content_is_noticed(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.png": b"content of it"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"content", b"contend"))
    with pytest.raises(ScanError, match=r"a\.zip/1\.png: the content is not that"):
        unpacked_bytes(path)
    path = write_zip(tmp_path / "b.zip", {"1.png": os.urandom(1000)})
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(range(20))
    path.write_bytes(data)
    with pytest.raises(ScanError, match=r"b\.zip"):
        unpacked_bytes(path)


@pytest.mark.parametrize("seed", range(30))
def test_any_damage_gives_the_content_or_a_clear_error(tmp_path, seed):
    import random

    contents = {"1.png": png(), "sub/2.txt": b"text" * 100}
    path = write_zip(tmp_path / "a.zip", contents)
    dice, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data[: dice.randint(len(data) // 2, len(data))] if seed % 3 == 0 else data)
    found, message = set(), str(path)
    try:
        for member in zip_members(path):
            found.add(member_hash(path, member, largest_mb=LIMIT_MB))
    except ScanError as error:
        message = str(error)
    assert found <= {hashlib.sha256(content).hexdigest() for content in contents.values()}
    assert message.startswith(str(path))


def test_archive_that_changes_is_read_again(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"1.png": b"one"})
    member = zip_members(path)[0]
    write_zip(path, {"1.png": b"other"})
    os.utime(path, (1, 1))
    assert unpacked_bytes(path) == b"other"
    write_zip(path, {"2.png": b"other"})
    os.utime(path, (2, 2))
    assert_refused(path, member, 1, "is no longer in the zip archive; run again")
