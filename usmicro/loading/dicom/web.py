"""Scans on a DICOMweb server: search (QIDO-RS) and retrieval (WADO-RS)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from usmicro.errors import ScanError, UsageError

TOKEN_VARIABLE = "USMICRO_DICOMWEB_TOKEN"
"""Environment variable with a bearer token. Without it, requests takes user name and password from
~/.netrc."""
CONNECT_SECONDS, READ_SECONDS = 20, 300
"""Longest wait for a connection and for the next bytes of an answer, s. Chosen by judgement; no
measurement is recorded."""
_RETRIEVAL_ATTEMPTS = 3
"""Number of attempts to retrieve an instance. Chosen by judgement; no measurement is recorded."""
_RETRY_WAIT_MS = 500
"""Unit of the wait between attempts, ms; it doubles with each attempt. Chosen by judgement; no
measurement is recorded."""
_SOP_CLASS, _SOP_INSTANCE, _SERIES = "00080016", "00080018", "0020000E"
"""Tags of SOPClassUID, SOPInstanceUID and SeriesInstanceUID in the answers of a server."""
_ADDRESS = re.compile(
    r"(?P<base>https?://[^?#]+?)/studies/(?P<study>[0-9.]+)"
    r"(/series/(?P<series>[0-9.]+)(/instances/(?P<instance>[0-9.]+))?)?/?"
)
_IMAGE_CLASS = re.compile(r"Image Storage|Video|Enhanced US Volume", re.IGNORECASE)
"""Names of SOP classes of images, in contrast to reports, segmentations and presentation states."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One image on a server."""

    base: str
    """Address of the DICOMweb service, before `/studies`."""
    study: str
    """StudyInstanceUID."""
    series: str
    """SeriesInstanceUID."""
    instance: str
    """SOPInstanceUID."""
    name: str
    """Name of the image in tables."""

    @property
    def address(self) -> str:
        """Address from which the image is retrieved."""
        return f"{self.base}/studies/{self.study}/series/{self.series}/instances/{self.instance}"


class _AddressParts(NamedTuple):
    """Parts of a DICOMweb address; series and instance are None for an address above them."""

    base: str
    study: str
    series: str | None
    instance: str | None


def is_dicomweb(given: object) -> bool:
    """Return True if an INPUT is an address on a DICOMweb server."""
    return isinstance(given, str) and re.match(r"https?://[^?#]+/studies(/|$)", given) is not None


def find_instances(address: str) -> tuple[list[Instance], list[str]]:
    """Find the images of a study or series on a DICOMweb server.

    Parameters
    ----------
    address : str
        `https://server/dicom-web/studies/UID`, optionally followed by `/series/UID` and
        `/instances/UID`.

    Returns
    -------
    instances : list of Instance
        Sorted by name. The images of a study are named `SERIES/INSTANCE.dcm`, those of a series
        `INSTANCE.dcm`, by their UIDs.
    remarks : list of str
        A remark if the study has objects that are not images.

    Raises
    ------
    UsageError
        If the address has another form, the server does not answer as a DICOMweb server, or it has
        no image at the address.
    """
    base, study, series, instance = _address_parts(address)
    client = _client(base, attempts=1)
    fields = [_SOP_CLASS, _SOP_INSTANCE, _SERIES]
    try:
        answers = client.search_for_instances(study, series, fields=fields, get_remaining=True)
    except Exception as error:  # the client passes on errors of the network, the server and JSON
        raise UsageError(
            f"{address}: the DICOMweb server gave no list of instances ({_reason(error)}); "
            "check the address and your access"
        ) from error
    instances, other_objects = [], 0
    for answer in answers:
        uid = _first_value(answer, _SOP_INSTANCE)
        series_uid = _first_value(answer, _SERIES) or series
        if instance not in (None, uid):
            continue
        if not uid or not series_uid or not _is_image(_first_value(answer, _SOP_CLASS)):
            other_objects += 1
            continue
        name = f"{uid}.dcm" if series else f"{series_uid}/{uid}.dcm"
        instances.append(Instance(base, study, series_uid, uid, name))
    if not instances:
        raise UsageError(
            f"{address}: no image found there, {other_objects} other objects; "
            "expected a study or series with ultrasound images"
        )
    remarks = []
    if other_objects:
        remarks.append(f"DICOMweb: {other_objects} objects that are not images were left out")
    return sorted(instances, key=lambda image: image.name), remarks


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """Give a temporary copy of an instance in a folder that only its owner can read.

    Parameters
    ----------
    address : str
        Address of an `Instance`.

    Raises
    ------
    ScanError
        If the instance cannot be retrieved.
    """
    base, study, series, instance = _address_parts(address)
    client = _client(base, attempts=_RETRIEVAL_ATTEMPTS)
    with tempfile.TemporaryDirectory(prefix="usmicro-") as folder:
        path = Path(folder) / f"{instance}.dcm"
        try:
            dataset = client.retrieve_instance(study, series, instance)
            dataset.save_as(path, enforce_file_format=True)
        except Exception as error:  # see find_instances
            raise ScanError(
                f"{address}: cannot be retrieved from the DICOMweb server: {_reason(error)}"
            ) from error
        yield path


def _address_parts(address: str) -> _AddressParts:
    """Split a DICOMweb address.

    Raises
    ------
    UsageError
        If it has a password or another form.
    """
    if "@" in address.partition("//")[2].partition("/")[0]:
        shown = re.sub("//.*@", "//", address)
        raise UsageError(
            f"{shown}: found a user name and password in a web address, where lists of processes "
            "show them; put them into ~/.netrc, or a token into the environment variable "
            f"{TOKEN_VARIABLE}"
        )
    if (match := _ADDRESS.fullmatch(address)) is None:
        raise UsageError(
            f"{address}: expected the DICOMweb address of a study or series, "
            "https://SERVER/.../studies/UID[/series/UID]"
        )
    return _AddressParts(match["base"], match["study"], match["series"], match["instance"])


def _client(base: str, *, attempts: int) -> Any:
    """Return a client of a DICOMweb service that makes each request up to `attempts` times."""
    try:
        import requests
        from dicomweb_client.api import DICOMwebClient
    except ImportError as error:
        raise UsageError(
            'a web address as INPUT needs dicomweb-client; run `pip install "usmicro[dicomweb]"`'
        ) from error

    class TimeLimitedAdapter(requests.adapters.HTTPAdapter):  # type: ignore[misc, name-defined]
        """Adapter with a time limit, since requests has none."""

        def send(self, request: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
            return super().send(request, **options)

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, TimeLimitedAdapter())
    if token := os.environ.get(TOKEN_VARIABLE):
        session.headers["Authorization"] = f"Bearer {token}"
    client = DICOMwebClient(base, session=session)
    client.set_http_retry_params(
        retry=attempts > 1,
        max_attempts=attempts,
        wait_exponential_multiplier=_RETRY_WAIT_MS,
    )
    return client


def _first_value(answer: Any, tag: str) -> str | None:
    """Return the first value of an attribute in the JSON of an instance, or None."""
    values = (answer.get(tag) or {}).get("Value") or []
    return str(values[0]) if values else None


def _is_image(sop_class: str | None) -> bool:
    from pydicom.uid import UID

    return sop_class is not None and _IMAGE_CLASS.search(UID(sop_class).name) is not None


def _reason(error: Exception) -> str:
    """Return the HTTP status or the type of an error.

    Its text is left out, since it may quote patient data of a scan.
    """
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP status {status}" if status else type(error).__name__
