"""The results stored in an output folder, and the list of files that runs wrote there.

Both are in a SQLite database, DIR/run.sqlite. It is locked while a run writes to the folder.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from usmicro.batch.groups import GROUPS
from usmicro.batch.jobs import Job
from usmicro.batch.results import Result
from usmicro.errors import UsageError
from usmicro.writing.cine_outputs import CONTACT_SHEETS
from usmicro.writing.coco_frames import remove_frames
from usmicro.writing.files import UNFINISHED
from usmicro.writing.report.page import PAGES, remove_report

DATABASE, RECORD = "run.sqlite", "run.json"
"""Names of the database and of the record of a run in the output folder."""
TABLES = ("images.csv", "masses.csv", "foci.csv", "clusters.csv", "tracks.csv")
"""Names of the tables in the output folder."""
PARQUET = tuple(name.replace(".csv", ".parquet") for name in TABLES)
"""Names of the tables as Parquet files."""
COCO = "coco.json"
"""Name of the COCO file in the output folder."""
FOLDERS = ("overlays", "masks", "dicom", "images", "coco", CONTACT_SHEETS, PAGES)
"""Folders that a run makes in its output folder."""
APPLICATION_ID = 0x75736D63
"""Application number in the header of the SQLite database, "usmc" in ASCII. It shows that the
database was made by this program."""
SCHEMA_VERSION = 4
"""Version of the tables in the database."""
HEADER_BYTES = 72
"""Length of the part of the SQLite header that ends with the application number (SQLite file
format, section 1.3)."""
COMMIT_SECONDS = 1.0
"""Smallest time between two commits, s. A killed run may lose the results since the last commit;
each commit waits for the disk. Chosen by judgement; no measurement is recorded."""
LOCK_SECONDS = 0.5
"""Time to wait for the lock of another run, s. Chosen by judgement; no measurement is recorded."""


@dataclass(frozen=True)
class FolderContent:
    """The content of an output folder before a run."""

    names: frozenset[str]
    """Names of the files and folders in it."""
    header: bytes
    """First HEADER_BYTES bytes of its database; empty if it has none."""

    @property
    def has_results(self) -> bool:
        """True if the folder holds the database of a run."""
        header = self.header
        return (
            header[:15] == b"SQLite format 3"
            and int.from_bytes(header[68:72], "big") == APPLICATION_ID
        )


def folder_content(out: Path) -> FolderContent:
    """Return the content of an output folder, which need not exist.

    Raises
    ------
    UsageError
        If `out` is a file or lies below one, or if it cannot be read.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: expected a folder for the results, found a file")
    if not out.exists():
        parent = next((folder for folder in out.absolute().parents if folder.exists()), out)
        if parent.is_file():
            raise UsageError(f"{out}: cannot be made, {parent} is a file; give --out a folder")
        return FolderContent(frozenset(), b"")
    try:
        names = frozenset(os.listdir(out))
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be read ({error.strerror}); give --out a folder that you may write to"
        ) from error
    header = b""
    with suppress(OSError), open(out / DATABASE, "rb") as file:
        header = file.read(HEADER_BYTES)
    return FolderContent(names, header)


def check_content(place: object, content: FolderContent, *, resume: bool, overwrite: bool) -> None:
    """Check that a run may write to an output folder with this content.

    Parameters
    ----------
    place : path or str
        The folder, or its address, for the error message.
    content : FolderContent
    resume, overwrite : bool
        As given to `usmicro.run`.

    Raises
    ------
    UsageError
        If the folder holds other files than results, or results that are neither to be continued
        nor to be replaced.
    """
    if content.names and not content.has_results:
        raise UsageError(
            f"{place}: is not empty ({min(content.names)}, ...) and holds no results of usmicro; "
            "give --out a new or empty folder"
        )
    # a run that was stopped at its very beginning leaves only the database
    without_results = content.names <= {DATABASE, f"{DATABASE}-journal"}
    if not (without_results or resume or overwrite):
        raise UsageError(
            f"{place}: holds results already; add --resume to continue that run, "
            "--overwrite to replace it, or give --out another folder"
        )


class ResultStore:
    """The results in an output folder, by image name; locked by one run at a time."""

    def __init__(self, out: Path, database: sqlite3.Connection) -> None:
        self.out = out
        self._database = database
        self._committed = time.monotonic()

    @staticmethod
    def open(out: Path) -> ResultStore:
        """Open and lock the database of an output folder; create both if they do not exist.

        Raises
        ------
        UsageError
            If the folder cannot be written to, another run has locked it, or the database was not
            made by this version of usmicro.
        """
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{out}: cannot be made ({error.strerror}); "
                "give --out a folder that you may write to"
            ) from error
        with database_errors(out):
            database = sqlite3.connect(
                out / DATABASE, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
                database.execute("BEGIN EXCLUSIVE")
                _prepare_tables(database, out)
                database.execute("COMMIT")
                database.execute("BEGIN")
            except BaseException:
                database.close()
                raise
        return ResultStore(out, database)

    def reserve(self, jobs: Sequence[Job], *, at_once: bool = True) -> None:
        """List the files that jobs may write as files of this program, before they are written.

        With `at_once` the list is on the disk when this returns, otherwise some time later.
        """
        with database_errors(self.out):
            files = (
                path.relative_to(self.out).as_posix()
                for job in jobs
                for path in (
                    *job.files,
                    job.cine_files[0],
                    *(f for own in job.optional_files.values() for f in own),
                )
            )
            # a folder ends with a slash; its files get their names during the analysis
            folders = (
                f"{folder.relative_to(self.out).as_posix()}/"
                for job in jobs
                for folder in (job.coco_folder, job.cine_files[1])
                if folder is not None
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO files VALUES (?)",
                ((_as_utf8(name),) for name in (*files, *folders)),
            )
            if at_once or time.monotonic() - self._committed > COMMIT_SECONDS:
                self._commit()

    def store(self, result: Result) -> None:
        """Store a result; it replaces an earlier one of the same image."""
        with database_errors(self.out):
            self._database.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?)",
                (_as_utf8(result.image), result.to_json()),
            )
            if time.monotonic() - self._committed > COMMIT_SECONDS:
                self._commit()

    def result(self, job: Job) -> Result | None:
        """Return the stored result of a job's image, or None."""
        with database_errors(self.out):
            row = self._database.execute(
                "SELECT result FROM results WHERE image = ?", (_as_utf8(job.name),)
            ).fetchone()
        if row is None:
            return None
        return Result.from_json(row[0], overlay_file=job.overlay_file, mask_file=job.mask_file)

    def clear(self) -> None:
        """Delete the files that former runs wrote into the folder, and no others."""
        with database_errors(self.out):
            files = [row[0] for row in self._database.execute("SELECT path FROM files")]
            remove_unfinished(self.out)
            for name in files:
                if name.endswith("/"):
                    remove_frames(self.out / name)
            files = [name for name in files if not name.endswith("/")]
            for name in (*files, *TABLES, *PARQUET, COCO, GROUPS, RECORD):
                try:
                    (self.out / name).unlink(missing_ok=True)
                except OSError as error:
                    raise UsageError(
                        f"{self.out / name}: cannot be deleted ({error.strerror}), as --overwrite "
                        "requires; make the file writable or give --out another folder"
                    ) from error
            folders = {parent for file in files for parent in Path(file).parents} - {Path()}
            for folder in sorted(folders, reverse=True):
                path = self.out / folder
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
            self._database.execute("DELETE FROM results")
            self._database.execute("DELETE FROM files")
            self._commit()

    def close(self) -> None:
        """Commit, and release the lock on the folder."""
        with database_errors(self.out):
            self._database.execute("COMMIT")
            self._database.close()

    def _commit(self) -> None:
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")
        self._committed = time.monotonic()


def _prepare_tables(database: sqlite3.Connection, out: Path) -> None:
    """Create the tables in an empty database; refuse a database of another program or version."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.execute("CREATE TABLE results (image TEXT PRIMARY KEY, result TEXT)")
        database.execute("CREATE TABLE files (path TEXT PRIMARY KEY)")
    elif (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
        raise UsageError(
            f"{out / DATABASE}: was not written by this version of usmicro; "
            "give --out another folder"
        )


def open_store(out: Path, *, resume: bool, overwrite: bool) -> ResultStore:
    """Lock an output folder for a run, and delete what the run will not continue.

    Raises
    ------
    UsageError
        If the run may not write there: see `check_content` and `ResultStore.open`.
    """
    check_content(out, folder_content(out), resume=resume, overwrite=overwrite)
    store = ResultStore.open(out)
    try:
        remove_unfinished(out)
        if overwrite:
            remove_report(out)
            store.clear()
    except BaseException:
        store.close()
        raise
    return store


def remove_unfinished(out: Path) -> None:
    """Delete what a killed run left incomplete, in all folders that a run writes to."""
    for folder in (out, *(out / name for name in FOLDERS)):
        for path in folder.glob(UNFINISHED) if folder == out else folder.rglob(UNFINISHED):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                continue
            with suppress(OSError):
                path.unlink()


@contextmanager
def database_errors(out: Path) -> Iterator[None]:
    """Turn errors of the database into a UsageError that says what the user can do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "locked" in reason:
            raise UsageError(
                f"{out}: another run is writing there; wait for it, or give --out another folder"
            ) from error
        if "full" in reason:
            raise UsageError(
                f"{out}: the disk is full; free some space and run again with --resume: "
                "finished inputs are kept"
            ) from error
        raise UsageError(
            f"{out / DATABASE}: {reason}; check that --out is a folder that you may write to"
        ) from error
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"{out / DATABASE}: is damaged or not a database of usmicro ({error}); "
            "give --out another folder"
        ) from error


def _as_utf8(name: str) -> str:
    """Return a name that SQLite accepts; a file name that is not UTF-8 holds lone surrogates."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
