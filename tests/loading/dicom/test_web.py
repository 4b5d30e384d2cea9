import csv
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pydicom
import pytest

from usmicro.cli import main
from usmicro.errors import ScanError, UsageError
from usmicro.loading.dicom.web import find_instances, is_dicomweb, local_copy

SCANS = ("mass_regions.dcm", "colour_cine.dcm")


def client_of(address):
    api = pytest.importorskip("dicomweb_client.api", reason="needs dicomweb-client")
    return api.DICOMwebClient(address)


@pytest.fixture(scope="module")
def stored(orthanc, sample_data):
    """Store two scans and a report in one study on a server; return its address and the scans."""
    scans = [pydicom.dcmread(sample_data / name) for name in SCANS]
    for scan in scans:
        scan.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    report = pydicom.Dataset()
    report.file_meta = pydicom.dataset.FileMetaDataset()
    report.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = pydicom.uid.BasicTextSRStorage
    report.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.9"
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    report.StudyInstanceUID = scans[0].StudyInstanceUID
    report.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.8"
    report.PatientID, report.PatientName = scans[0].PatientID, scans[0].PatientName
    report.Modality = "SR"
    client_of(orthanc).store_instances([*scans, report])
    return f"{orthanc}/studies/{scans[0].StudyInstanceUID}", scans


def test_dicomweb_addresses_are_recognised():
    assert is_dicomweb("https://pacs.example/dicom-web/studies/1.2")
    assert not is_dicomweb("scans/studies/x.dcm")
    assert not is_dicomweb("https://server.example/scans/x.dcm")


@pytest.mark.parametrize(
    "address",
    [
        "https://pacs.example/dicom-web",
        "http://pacs.example/studies/abc",
        "https://pacs.example/studies/1.2/x",
    ],
)
def test_error_for_another_address_gives_the_expected_form(address):
    with pytest.raises(UsageError, match="/studies/UID"):
        find_instances(address)


def test_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="netrc") as refused:
        find_instances("https://me:secret@pacs.example/dicom-web/studies/1.2")
    assert "secret" not in str(refused.value)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dicomweb_client", None)
    monkeypatch.setitem(sys.modules, "dicomweb_client.api", None)
    with pytest.raises(UsageError, match=r"usmicro\[dicomweb\]"):
        find_instances("https://pacs.example/dicom-web/studies/1.2")


def test_server_that_does_not_answer_is_named():
    pytest.importorskip("dicomweb_client")
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9/.*gave no list"):
        find_instances("http://127.0.0.1:9/dicom-web/studies/1.2")


@pytest.fixture
def refusing_server():
    """Run a server that refuses access; give its address and the headers of all requests."""
    headers_received = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            headers_received.append(dict(self.headers))
            self.send_error(401)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/dicom-web/studies/1.2", headers_received
    server.shutdown()
    thread.join()
    server.server_close()


def test_token_is_sent_and_refusal_is_reported(refusing_server, monkeypatch):
    pytest.importorskip("dicomweb_client")
    address, headers_received = refusing_server
    monkeypatch.setenv("USMICRO_DICOMWEB_TOKEN", "abc")
    with pytest.raises(UsageError, match="HTTP status 401"):
        find_instances(address)
    assert [headers["Authorization"] for headers in headers_received] == ["Bearer abc"]


def test_study_gives_its_images_and_a_remark_on_other_objects(stored):
    address, scans = stored
    instances, remarks = find_instances(address)
    assert [image.name for image in instances] == sorted(
        f"{scan.SeriesInstanceUID}/{scan.SOPInstanceUID}.dcm" for scan in scans
    )
    assert len(remarks) == 1
    assert "1 objects that are not images" in remarks[0]


def test_series_and_instance_give_their_own_images(stored):
    address, scans = stored
    series = f"{address}/series/{scans[0].SeriesInstanceUID}"
    assert [image.name for image in find_instances(series)[0]] == [f"{scans[0].SOPInstanceUID}.dcm"]
    assert len(find_instances(f"{series}/instances/{scans[0].SOPInstanceUID}/")[0]) == 1


def test_missing_study_is_refused(orthanc):
    client_of(orthanc)
    with pytest.raises(UsageError, match="no image found there"):
        find_instances(f"{orthanc}/studies/1.2.3.4")


def test_local_copy_has_the_stored_pixels_and_is_deleted_afterwards(stored):
    address, scans = stored
    for scan in scans:
        image = next(
            image for image in find_instances(address)[0] if image.instance == scan.SOPInstanceUID
        )
        with local_copy(image.address) as path:
            copy = pydicom.dcmread(path)
            assert bytes(copy.PixelData) == bytes(scan.PixelData)
            assert copy.file_meta.TransferSyntaxUID == scan.file_meta.TransferSyntaxUID
        assert not path.parent.exists()


def test_missing_instance_gives_a_scan_error(stored):
    with (
        pytest.raises(ScanError, match="cannot be retrieved"),
        local_copy(f"{stored[0]}/series/1.2/instances/1.2.3"),
    ):
        pass


def test_lost_server_gives_failed_rows_without_its_address(stored, tmp_path, monkeypatch):
    import usmicro

    monkeypatch.setattr(
        "usmicro.loading.dicom.web.Instance.address",
        "http://127.0.0.1:9/studies/1.2/series/1.2/instances/1.2",
    )
    results = list(usmicro.run(stored[0], out=tmp_path / "r", workers=1))
    assert [result.status for result in results] == ["failed", "failed"]
    assert all(result.error.startswith("cannot be retrieved") for result in results)
    assert "127.0.0.1:9" not in (tmp_path / "r" / "images.csv").read_text()


@pytest.mark.slow
def test_study_on_a_server_gives_the_same_tables_as_its_files(
    stored, sample_data, tmp_path, monkeypatch
):
    address, _ = stored
    served, local = str(tmp_path / "served"), str(tmp_path / "local")
    files = [str(sample_data / name) for name in SCANS]
    assert main(["run", address, "--out", served, "--quiet", "--workers", "2"]) == 0
    assert main(["run", *files, "--out", local, "--quiet"]) == 0
    assert focus_rows(tmp_path / "served") == focus_rows(tmp_path / "local")
    assert not list((tmp_path / "served").rglob("*.dcm"))  # copies of scans are deleted
    assert (
        "objects that are not images were left out"
        in (tmp_path / "served" / "run.json").read_text()
    )
    # an image is recognised by its UIDs and not retrieved again
    monkeypatch.setattr(
        "usmicro.loading.dicom.web.local_copy",
        lambda address: pytest.fail(f"{address} is retrieved again"),
    )
    resumed = ["run", address, "--out", served, "--quiet", "--resume", "--workers", "1"]
    assert main(resumed) == 0


def focus_rows(folder):
    """Return the rows of the table of foci without the names of their images."""
    with open(folder / "foci.csv", newline="") as file:
        return sorted(list(row.values())[1:] for row in csv.DictReader(file))
