"""An Orthanc server with its DICOMweb plugin, on a free local port, for the time of a test."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLUGIN = "libOrthancDicomWeb.so"
PLUGINS = (
    Path("/usr/share/orthanc/plugins"),
    Path("/usr/lib/orthanc"),
    Path("/usr/local/share/orthanc/plugins"),
)
STARTING_SECONDS = 60
"""Time to wait for the start of the server, s."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Start Orthanc with an empty store in a folder and stop it at the end.

    Gives the address of its DICOMweb service.
    """
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    plugin = next((place / PLUGIN for place in PLUGINS if (place / PLUGIN).exists()), None)
    if program is None or plugin is None:
        pytest.skip(
            "Orthanc or its DICOMweb plugin is not installed; "
            "on Debian: apt-get install orthanc orthanc-dicomweb"
        )
    port = free_port()
    configuration = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "Plugins": [str(plugin)],
        "HttpPort": port,
        "HttpServerEnabled": True,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(configuration))
    with open(folder / "orthanc.log", "wb") as log:
        process = subprocess.Popen(
            [program, str(file)], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        address = f"http://127.0.0.1:{port}/dicom-web"
        deadline = time.monotonic() + STARTING_SECONDS
        while not answers(f"{address}/studies"):
            if process.poll() is not None or time.monotonic() > deadline:
                log_text = (folder / "orthanc.log").read_text(errors="replace")
                pytest.fail(f"Orthanc did not start: {log_text[-2000:]}")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
