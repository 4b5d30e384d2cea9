"""Scans from a DICOMweb server: which a study or series holds (QIDO-RS), and each fetched when it is analysed (WADO-RS)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usmicro.errors import ScanError, UsageError

TOKEN = "USMICRO_DICOMWEB_TOKEN"
"""Environment variable with a bearer token; without it, requests looks for name and password in ~/.netrc."""
CONNECT_SECONDS, READ_SECONDS = 20, 300
"""Longest wait for a connection, and for the next bytes of an answer."""
_ADDRESS = re.compile(
    r"(?P<base>https?://[^?#]+?)/studies/(?P<study>[0-9.]+)(/series/(?P<series>[0-9.]+)(/instances/(?P<instance>[0-9.]+))?)?/?"
)
_IMAGES = re.compile(r"Image Storage|Video|Enhanced US Volume", re.IGNORECASE)
"""Names of the SOP classes that hold images; reports, segmentations and presentation states are passed over."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One image on a server."""

    base: str
    """Address of the DICOMweb service, before `/studies`."""
    study: str
    series: str
    instance: str
    name: str
    """What tables call the image."""

    @property
    def address(self) -> str:
        """Where it is fetched."""
        return f"{self.base}/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def is_dicomweb(given: object) -> bool:
    """Whether an INPUT is the address of something on a DICOMweb server."""
    return isinstance(given, str) and re.match(r"https?://[^?#]+/studies(/|$)", given) is not None


def find_instances(address: str) -> tuple[list[Instance], list[str]]:
    """The images of a study or series on a DICOMweb server, sorted by name, and what to remark of the search.

    Images of a study are called `SERIES/INSTANCE.dcm`, those of a series `INSTANCE.dcm`, by their UIDs.

    Parameters
    ----------
    address : str
        `https://server/dicom-web/studies/UID`, optionally with `/series/UID` and `/instances/UID`.

    Raises
    ------
    UsageError
        If the address has another form, the server does not answer as DICOMweb does, or holds no image there.
    """
    base, study, series, instance = _parts(address)
    client = _client(base, attempts=1)
    try:
        fields = ["00080016", "00080018", "0020000E"]
        answers = client.search_for_instances(study, series, fields=fields, get_remaining=True)
    except (
        Exception
    ) as error:  # the client hands on whatever the network, the server or its JSON brings
        raise UsageError(
            f"{address}: the DICOMweb server gave no list of instances ({_reason(error)}); check address and access"
        ) from error
    found, passed_over = [], 0
    for answer in answers:
        own, of_series = _value(answer, "00080018"), _value(answer, "0020000E") or series
        if instance not in (None, own):
            continue
        if not own or not of_series or not _is_image(_value(answer, "00080016")):
            passed_over += 1
            continue
        found.append(
            Instance(
                base, study, of_series, own, f"{own}.dcm" if series else f"{of_series}/{own}.dcm"
            )
        )
    if not found:
        raise UsageError(
            f"{address}: no image found there, {passed_over} other objects; expected a study or series with ultrasound images"
        )
    remark = f"DICOMweb: {passed_over} objects that are no images were passed over"
    return sorted(found, key=lambda image: image.name), [remark] if passed_over else []


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """Fetch an instance into a private temporary folder, which is deleted afterwards.

    Parameters
    ----------
    address : str
        Of an `Instance`.

    Raises
    ------
    ScanError
        If it cannot be fetched.
    """
    base, study, series, instance = _parts(address)
    client = _client(base, attempts=3)
    with tempfile.TemporaryDirectory(prefix="usmicro-") as folder:
        path = Path(folder) / f"{instance}.dcm"
        try:
            dataset = client.retrieve_instance(study, series, instance)
            dataset.save_as(path, enforce_file_format=True)
        except Exception as error:  # as above
            raise ScanError(
                f"{address}: cannot be fetched from the DICOMweb server: {_reason(error)}"
            ) from error
        yield path


def _parts(address: str) -> Sequence[Any]:
    if "@" in address.partition("//")[2].partition("/")[0]:
        raise UsageError(
            f"{re.sub('//.*@', '//', address)}: a web address must not hold name and password, which would show in process lists; put them "
            f"into ~/.netrc, or a token into the environment variable {TOKEN}"
        )
    if (match := _ADDRESS.fullmatch(address)) is None:
        raise UsageError(
            f"{address}: expected the DICOMweb address of a study or series, https://SERVER/.../studies/UID[/series/UID]"
        )
    return match["base"], match["study"], match["series"], match["instance"]


def _client(base: str, *, attempts: int) -> Any:
    try:
        import requests
        from dicomweb_client.api import DICOMwebClient
    except ImportError as error:
        raise UsageError(
            'a web address as INPUT needs dicomweb-client; run `pip install "usmicro[dicomweb]"`'
        ) from error

    class TimeLimited(requests.adapters.HTTPAdapter):  # type: ignore[misc, name-defined]  # requests waits for ever otherwise
        def send(self, request: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
            return super().send(request, **options)

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, TimeLimited())
    if token := os.environ.get(TOKEN):
        session.headers["Authorization"] = f"Bearer {token}"
    client = DICOMwebClient(base, session=session)
    client.set_http_retry_params(
        retry=attempts > 1, max_attempts=attempts, wait_exponential_multiplier=500
    )
    return client


def _value(answer: Any, tag: str) -> str | None:
    values = (answer.get(tag) or {}).get("Value") or []
    return str(values[0]) if values else None


def _is_image(sop_class: str | None) -> bool:
    from pydicom.uid import UID

    return sop_class is not None and _IMAGES.search(UID(sop_class).name) is not None


def _reason(error: Exception) -> str:
    """What went wrong, without the text of the error, which may quote what a scan holds of its patient."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP status {status}" if status else type(error).__name__
