"""What an output folder remembers of its runs, in DIR/run.sqlite: results as they come, and the files that are ours to replace."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from usmicro.batch.jobs import Job
from usmicro.batch.results import Result
from usmicro.errors import UsageError
from usmicro.writing.files import UNFINISHED
from usmicro.writing.report.page import PAGES

STATE, RECORD = "run.sqlite", "run.json"
TABLES = ("images.csv", "masses.csv", "foci.csv", "clusters.csv")
PARQUET = tuple(name.replace(".csv", ".parquet") for name in TABLES)
COCO = "coco.json"
FOLDERS = ("overlays", "masks", "dicom", "images", PAGES)
APPLICATION = 0x75736D63  # "usmc": tells our database from another program's
VERSION = 2
COMMIT_SECONDS = 1.0
"""Results are committed this often: a commit waits for the disk, and a killed run loses no more than this."""


class State:
    """The results of an output folder, by image name; one run at a time holds it."""

    def __init__(self, out: Path, database: sqlite3.Connection) -> None:
        self.out = out
        self._database = database
        self._committed = time.monotonic()

    @staticmethod
    def open(out: Path) -> State:
        """Open the state of an output folder, or begin one.

        Raises
        ------
        UsageError
            If the folder cannot be written to, another run holds it, or the state is not usmicro's.
        """
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{out}: cannot be made ({error.strerror}); give --out a folder that you may write to"
            ) from error
        with database_errors(out):
            database = sqlite3.connect(
                out / STATE, timeout=0.5, isolation_level=None, check_same_thread=False
            )
            try:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
                database.execute("BEGIN EXCLUSIVE")
                found = (
                    database.execute("PRAGMA application_id").fetchone()[0],
                    database.execute("PRAGMA user_version").fetchone()[0],
                )
                if (
                    found == (0, 0)
                    and not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                ):
                    database.execute(f"PRAGMA application_id = {APPLICATION}")
                    database.execute(f"PRAGMA user_version = {VERSION}")
                    database.execute("CREATE TABLE results (image TEXT PRIMARY KEY, result TEXT)")
                    database.execute("CREATE TABLE files (path TEXT PRIMARY KEY)")
                elif found != (APPLICATION, VERSION):
                    raise UsageError(
                        f"{out / STATE}: was not written by this version of usmicro; give --out another folder"
                    )
                database.execute("COMMIT")
                database.execute("BEGIN")
            except BaseException:
                database.close()
                raise
        return State(out, database)

    def expect(self, jobs: Iterable[Job]) -> None:
        """Note the files that jobs will write, before they do."""
        with database_errors(self.out):
            files = (
                path.relative_to(self.out).as_posix()
                for job in jobs
                for path in (*job.files, *(f for own in job.extra_files.values() for f in own))
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO files VALUES (?)", ((_printable(file),) for file in files)
            )
            self._commit()

    def keep(self, result: Result) -> None:
        """Store a result."""
        with database_errors(self.out):
            self._database.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?)",
                (_printable(result.image), result.to_json()),
            )
            if time.monotonic() - self._committed > COMMIT_SECONDS:
                self._commit()

    def result(self, job: Job) -> Result | None:
        """The stored result of a job's image."""
        with database_errors(self.out):
            row = self._database.execute(
                "SELECT result FROM results WHERE image = ?", (_printable(job.name),)
            ).fetchone()
        return (
            None
            if row is None
            else Result.from_json(row[0], overlay_file=job.overlay_file, mask_file=job.mask_file)
        )

    def clear(self) -> None:
        """Delete what former runs wrote into the folder, and nothing else."""
        with database_errors(self.out):
            files = [row[0] for row in self._database.execute("SELECT path FROM files")]
            remove_unfinished(self.out)
            for path in [self.out / file for file in files] + [
                self.out / name for name in (*TABLES, *PARQUET, COCO, RECORD)
            ]:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise UsageError(
                        f"{path}: cannot be deleted ({error.strerror}); --overwrite replaces former results"
                    ) from error
            for folder in sorted(
                {parent for file in files for parent in Path(file).parents if parent != Path()},
                reverse=True,
            ):
                path = self.out / folder
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
            self._database.execute("DELETE FROM results")
            self._database.execute("DELETE FROM files")
            self._commit()

    def close(self) -> None:
        """Commit and let go of the folder."""
        with database_errors(self.out):
            self._database.execute("COMMIT")
            self._database.close()

    def _commit(self) -> None:
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")
        self._committed = time.monotonic()


def remove_unfinished(out: Path) -> None:
    """Delete what a killed run had begun to write, wherever a run writes."""
    for folder in (out, *(out / name for name in FOLDERS)):
        for path in folder.glob(UNFINISHED) if folder == out else folder.rglob(UNFINISHED):
            with suppress(OSError):
                path.unlink()


def is_result(out: Path) -> bool:
    """Whether a folder holds a run of ours."""
    try:
        with open(out / STATE, "rb") as file:
            header = file.read(72)
    except OSError:
        return False
    return header[:15] == b"SQLite format 3" and int.from_bytes(header[68:72], "big") == APPLICATION


@contextmanager
def database_errors(out: Path) -> Iterator[None]:
    """Say what a failing database means for the user."""
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
                f"{out}: the disk is full; free some space and run again with --resume: finished inputs are kept"
            ) from error
        raise UsageError(
            f"{out / STATE}: {reason}; check that --out is a folder that you may write to"
        ) from error
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"{out / STATE}: is damaged or no usmicro state ({error}); give --out another folder"
        ) from error


def _printable(name: str) -> str:
    """A name that SQLite accepts: a file name that is not UTF-8 reaches Python as lone surrogates."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
