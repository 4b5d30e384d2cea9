"""A run: inputs to jobs, jobs to results, results to tables."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.functions import check_importable, mark_of
from usmicro.batch.jobs import Job, fingerprint, is_written
from usmicro.batch.progress import Progress
from usmicro.batch.pseudonyms import pseudonym, read_key
from usmicro.batch.record import Record
from usmicro.batch.results import Result
from usmicro.batch.state import COCO, RECORD, STATE, TABLES, State, is_result, remove_unfinished
from usmicro.batch.workers import Told, available_cores, in_process, in_workers
from usmicro.errors import ScanError, UsageError
from usmicro.loading.dicom.web import find_instances, is_dicomweb
from usmicro.loading.discover import Input, find_scans
from usmicro.loading.remote import is_address
from usmicro.loading.spacing import read_spacing
from usmicro.settings import Settings, read_settings
from usmicro.writing.coco import CocoWriter
from usmicro.writing.files import replacing
from usmicro.writing.names import file_stems
from usmicro.writing.parquet import write_parquet
from usmicro.writing.report.page import remove_report, write_report
from usmicro.writing.tables import (
    CLUSTERS_COLUMNS,
    FOCI_COLUMNS,
    IMAGES_COLUMNS,
    MASSES_COLUMNS,
    plain,
    table_writer,
)

AT_ONCE = 1000
"""So many stored results are in memory at a time."""
Inputs = str | Path | Sequence[str | Path]


def run(
    inputs: Inputs,
    *,
    out: str | Path,
    settings: Settings | str | Path | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    spacing: str | float | Path | None = None,
    masks: str | Path | MaskFunction | None = None,
    resume: bool = False,
    overwrite: bool = False,
    pseudonyms: str | Path | None = None,
    limit: int | None = None,
    dicom: bool = False,
    coco: bool = False,
    quiet: bool = True,
) -> Iterator[Result]:
    """Analyse scans and write tables, overlays and masks; the same as `usmicro run`.

    The arguments are checked at once; the work is done while the results are taken, in the order of the inputs' names. When the
    last one is taken, or the loop is left, the tables are written from the results so far; with the last one, also the report.

    Parameters
    ----------
    inputs : path or sequence of paths
        Files, folders (searched through), glob patterns, addresses such as s3://bucket/folder, or DICOMweb addresses of studies and series.
    out : path
        Folder for the results, or an address of one; must be empty or new unless `resume` or `overwrite`.
    settings : Settings or path, optional
        Or a TOML file of them.
    workers : int, optional
        Processes; one a core if not given, 1 computes in this process.
    cluster : str, optional
        Address of a Dask scheduler, whose workers compute instead of processes of this machine. They must see the inputs and `out`
        under the same paths.
    spacing : float or path, optional
        Spacing in mm for inputs without one, or a CSV table whose rows win for their images.
    masks : path or function, optional
        Folder of outlines of one's own, or a function that gives them for a frame, as in `usmicro.analyze`. What it gives must depend on
        its arguments alone. With several workers it must be one that they can import: a function of a module, not of the script itself.
    resume : bool
        Keep the results in `out` whose input, masks and settings have not changed; of a masks function, the file that it is written in.
    overwrite : bool
        Delete what a former run wrote to `out`.
    pseudonyms : path, optional
        File with a key, written if it is not there. Every output then names an input by a keyed hash of its path below INPUT;
        `usmicro pseudonyms` lists which is which. It must not lie in `out`.
    limit : int, optional
        Analyse only so many inputs, the first by name.
    dicom : bool
        Also write a DICOM Structured Report and a Segmentation of each DICOM scan; needs highdicom.
    coco : bool
        Also write coco.json and the clean key frames, for annotation tools.
    quiet : bool
        Report no progress on standard error.

    Yields
    ------
    Result
        One for each input, in the order of their names; failed ones have `status` "failed" and an `error`.

    Raises
    ------
    UsageError
        If there is nothing to analyse, an argument makes no sense, or the output cannot be written.
    SettingsError
        If a setting is unknown or out of range, or `anatomy.mass_network` cannot be read.
    """
    if resume and overwrite:
        raise UsageError(
            "--resume keeps former results and --overwrite deletes them; give one of the two"
        )
    for name, value in (("--workers", workers), ("--limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: expected a whole number of at least 1")
    mirror = None
    if is_address(out):
        from usmicro.batch.mirror import Mirror

        if cluster is not None:
            raise UsageError(
                f"--out {out}: with --cluster the output must be a folder that all machines share"
            )
        mirror = Mirror(str(out))
        out = mirror.folder
    out = Path(out)
    if settings is None or isinstance(settings, str | Path):
        settings = read_settings(None if settings is None else Path(settings))
    if settings.anatomy.mass_network:
        from usmicro.anatomy.network import check_network

        check_network(Path(settings.anatomy.mass_network))  # once, before every input fails for it
    if dicom:
        from usmicro.writing.dicom import check_installed

        check_installed()
        if pseudonyms is not None:
            raise UsageError(
                "--dicom writes results that belong to the patient's study and name the patient; leave out --pseudonyms or --dicom"
            )
    key = None if pseudonyms is None else read_key(Path(pseudonyms), out=out)
    jobs, remarks = make_jobs(
        inputs, out=out, settings=settings, spacing=spacing, masks=masks, limit=limit, key=key
    )
    extras = tuple(name for name, asked in (("dicom", dicom), ("coco", coco)) if asked)
    jobs = [replace(job, extras=extras) for job in jobs]
    if cluster is not None and workers is not None:
        raise UsageError(
            "--workers is for this machine and --cluster for others, which have the workers that they were started with"
        )
    count = min(workers or available_cores(), len(jobs))
    if callable(masks) and (count > 1 or cluster is not None):
        check_importable(masks)
    state = open_state(out, resume=resume, overwrite=overwrite)
    record = Record(
        settings,
        workers=None if cluster else count,
        spacing=spacing,
        masks=masks,
        remarks=remarks,
        private=key is not None,
    )
    results = _results(
        jobs,
        state,
        record,
        cluster=cluster,
        resume=resume,
        progress=Progress(len(jobs), None if quiet else sys.stderr),
    )
    return results if mirror is None else mirror.through(results)


def _find_inputs(inputs: Sequence[str | Path]) -> tuple[list[Input], list[str]]:
    """The scans on this machine, at addresses and on DICOMweb servers, sorted by name, and what to remark of the search."""
    served = [given for given in inputs if is_dicomweb(given)]
    local = [given for given in inputs if given not in served]
    found = find_scans(local) if local or not served else []
    remarks: list[str] = []
    for address in served:
        instances, more = find_instances(str(address))
        remarks += more
        found += [
            Input(Path(instance.name), instance.name, instance.address) for instance in instances
        ]
    return sorted(found, key=lambda item: item.name), remarks


def make_jobs(
    inputs: Inputs,
    *,
    out: Path,
    settings: Settings,
    spacing: str | float | Path | None,
    masks: str | Path | MaskFunction | None,
    limit: int | None,
    key: bytes | None = None,
) -> tuple[list[Job], list[str]]:
    """One job an input, sorted by name, and what the user should know of the arguments."""
    found, remarks = _find_inputs([inputs] if isinstance(inputs, str | Path) else list(inputs))
    if repeated := [
        name for name, count in Counter(item.name for item in found).items() if count > 1
    ]:
        raise UsageError(
            f"{len(repeated)} inputs have the name of another, such as {repeated[0]}; give their common parent folder as INPUT"
        )
    given = read_spacing(spacing)
    if unused := given.unused(item.name for item in found):
        remarks.append(
            f"--spacing: {len(unused)} rows name no input"
            + ("" if key else f", such as {unused[0]}")
        )
    function, folder = (
        (masks, None) if callable(masks) else (None, None if masks is None else Path(masks))
    )
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"--masks {folder}: expected a folder of masks, found {'a file' if folder.exists() else 'nothing there'}"
        )
    named = sorted(
        ((pseudonym(item.name, key) if key else item.name, item) for item in found),
        key=lambda pair: pair[0],
    )
    stems = file_stems([name for name, _ in named])
    mark = "" if function is None else mark_of(function)
    jobs = [
        Job(
            name,
            item.path,
            out,
            stem,
            settings,
            *given.for_image(item.name),
            folder,
            function,
            mark,
            item.name if key else "",
            item.address,
        )
        for (name, item), stem in zip(named[:limit], stems, strict=False)
    ]
    return jobs, remarks


def open_state(out: Path, *, resume: bool, overwrite: bool) -> State:
    """Take hold of the output folder; refuses one that holds anything but the run that the user wants to continue or replace."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: expected a folder for the results, found a file")
    try:
        content = sorted(path.name for path in out.iterdir()) if out.exists() else []
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be read ({error.strerror}); give --out a folder that you may write to"
        ) from error
    begun = set(content) <= {STATE, f"{STATE}-journal"}  # a run that was never let begin
    if content and not is_result(out):
        raise UsageError(
            f"{out}: is not empty ({content[0]}, ...) and holds no results of usmicro; give --out a new or empty folder"
        )
    if not (begun or resume or overwrite):
        raise UsageError(
            f"{out}: holds results already; add --resume to continue that run, --overwrite to replace it, or give --out another folder"
        )
    state = State.open(out)
    remove_unfinished(out)
    if overwrite:
        remove_report(out)
        state.clear()
    return state


def _results(
    jobs: list[Job],
    state: State,
    record: Record,
    *,
    cluster: str | None,
    resume: bool,
    progress: Progress,
) -> Iterator[Result]:
    """Compute what is not there yet; yield in the order of the jobs; write the tables whatever happens.

    Results that must wait for those before them wait in the store, so that memory does not grow with their number.
    """
    with ExitStack() as cleanup:
        cleanup.callback(state.close)
        cleanup.callback(_finish, jobs, state, record)
        cleanup.callback(progress.close)
        for remark in record.remarks:
            progress.say(remark)
        state.expect(jobs)
        remove_report(state.out)  # it would tell of tables that are replaced, as would coco.json
        (state.out / COCO).unlink(missing_ok=True)
        with replacing(state.out / RECORD, durable=True) as file:
            record.write(file, ())  # tells that this folder holds results, not scans
        ready = set(_unchanged(jobs, state)) if resume else set()
        for index in sorted(ready):
            progress.add(jobs[index].name, kept=True)
        waiting = [index for index in range(len(jobs)) if index not in ready]
        todo = [jobs[index] for index in waiting]

        def told(job: Job, done: int, promised: int) -> None:
            progress.frames(job.name, done, promised)

        computed = _computed(todo, record.workers, cluster, told)
        cleanup.callback(computed.close)  # the workers end before the tables are written
        following = 0
        while following in ready:
            yield _stored(jobs[following], state)
            following += 1
        for place, result in computed:
            state.keep(result)
            progress.add(result.image, result.error)
            index = waiting[place]
            ready.add(index)
            while following in ready:
                yield result if following == index else _stored(jobs[following], state)
                following += 1
        record.complete = True


def _computed(
    jobs: list[Job], workers: int | None, cluster: str | None, told: Told
) -> Generator[tuple[int, Result], None, None]:
    """Results as they come, by index, from where they are to be computed."""
    if cluster is not None:
        from usmicro.batch.cluster import on_cluster

        return on_cluster(jobs, cluster, told)
    return in_process(jobs, told) if workers == 1 else in_workers(jobs, workers or 1, told)


def _stored(job: Job, state: State) -> Result:
    result = state.result(job)
    if result is None:
        raise UsageError(
            f"{state.out / STATE}: was changed by another program while the run was going on; run again with --overwrite"
        )
    return result


def _unchanged(jobs: list[Job], state: State) -> Iterator[int]:
    """Indices of the jobs whose results need not be computed again."""

    def same(job: Job, result: Result) -> bool:
        try:
            return is_written(job, result) and fingerprint(job) == result.fingerprint
        except (OSError, ScanError):
            return False  # the job itself will say why the file cannot be read

    with ThreadPoolExecutor(min(8, available_cores())) as threads:
        for first in range(0, len(jobs), AT_ONCE):
            some = jobs[first : first + AT_ONCE]
            known = {
                first + i: result
                for i, job in enumerate(some)
                if (result := state.result(job)) is not None and result.status == "ok"
            }
            keep = threads.map(same, (jobs[index] for index in known), known.values())
            yield from (index for index, unchanged in zip(known, keep, strict=True) if unchanged)


def _finish(jobs: list[Job], state: State, record: Record) -> None:
    """Write the tables, what is made of them, and the report if every input was reached."""
    _write_tables(jobs, state, record)
    for name in TABLES:
        write_parquet(state.out / name)
    if jobs and "coco" in jobs[0].extras:
        _write_coco(jobs, state)
    if record.complete:
        write_report(state.out)


def _write_coco(jobs: list[Job], state: State) -> None:
    with replacing(state.out / COCO) as file, CocoWriter(file) as coco:
        for job in jobs:
            result = state.result(job)
            if result is not None and result.summary is not None:
                coco.add(
                    job.extra_files["coco"][0].relative_to(state.out).as_posix(),
                    result.image,
                    result.labels,
                    result,
                )


def _write_tables(jobs: list[Job], state: State, record: Record) -> None:
    all_columns = (IMAGES_COLUMNS, MASSES_COLUMNS, FOCI_COLUMNS, CLUSTERS_COLUMNS)
    with ExitStack() as files:
        add_image, add_mass, add_focus, add_cluster = (
            table_writer(files.enter_context(replacing(state.out / name, durable=True)), columns)
            for name, columns in zip(TABLES, all_columns, strict=True)
        )
        empty: dict[str, Any] = dict.fromkeys(IMAGES_COLUMNS)
        for result in _reached(jobs, state):
            summary = {} if result.summary is None else plain(result.summary)
            head = {"image": result.image, "status": result.status, "error": result.error or None}
            add_image({**empty, **head, **summary, "seconds": result.seconds.get("total")})
            for mass in result.masses:
                add_mass({"image": result.image, **plain(mass)})
            for focus in result.foci:
                add_focus({"image": result.image, **plain(focus)})
            for cluster in result.clusters:
                add_cluster({"image": result.image, **plain(cluster)})
            record.add(result)
    record.finished = datetime.now(UTC)
    with replacing(state.out / RECORD, durable=True) as file:
        record.write(file, _reached(jobs, state))


def _reached(jobs: list[Job], state: State) -> Iterator[Result]:
    """The results so far, in the order of the jobs."""
    return (result for job in jobs if (result := state.result(job)) is not None)
