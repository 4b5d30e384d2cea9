"""`usmicro.run`: check the arguments, and return an iterator that does the work."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import GEN_CLOSED, GEN_CREATED, getgeneratorstate
from pathlib import Path
from typing import TYPE_CHECKING

from usmicro.anatomy.user_masks import MaskFunction
from usmicro.batch.arrays import ArrayInputs, array_inputs, job_of_arrays
from usmicro.batch.execution import RunPlan, execute
from usmicro.batch.functions import UserFunction, detector_of, masks_of
from usmicro.batch.inputs import Inputs, make_jobs
from usmicro.batch.jobs import Job
from usmicro.batch.processes import available_cores
from usmicro.batch.pseudonyms import key_for_run
from usmicro.batch.record import Record
from usmicro.batch.results import Result
from usmicro.batch.store import check_content, folder_content
from usmicro.errors import UsageError
from usmicro.loading.remote import is_address
from usmicro.model.scan import SpacingLike
from usmicro.model.warnings import RunWarning
from usmicro.settings import Settings, checked_settings, read_settings

if TYPE_CHECKING:
    from usmicro.foci.user_detector import DetectorFunction


class Run(Iterator[Result]):
    """The results of a run, in the order of the inputs' names.

    The run starts when the first result is requested, and it computes while results are requested.
    It ends with the last result, when it is closed, or when it is garbage-collected: the tables of
    the results so far are then written, and output folder and worker processes are released.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._results = execute(plan)
        self._count = 0

    def __next__(self) -> Result:
        """Return the next result; the first call starts the run."""
        result = next(self._results)
        self._count += 1
        return result

    @property
    def warnings(self) -> list[RunWarning]:
        """The kinds of warnings with their counts; complete once the run has ended."""
        return self._plan.record.warnings

    def close(self) -> None:
        """End the run; results that are not computed yet are left out of the tables."""
        self._results.close()

    def __repr__(self) -> str:
        inputs: int | None = len(self._plan.jobs)
        if self._plan.arrays is not None:
            inputs = self._plan.arrays[0].count
        counted = "arrays" if inputs is None else f"{inputs} input{'' if inputs == 1 else 's'}"
        name = f"usmicro run of {counted} to {self._plan.out}"
        state = getgeneratorstate(self._results)
        if state == GEN_CREATED:
            return (
                f"<{name}, not started: iterate over it, "
                "for example with: for result in usmicro.run(...)>"
            )
        verb = "ended after" if state == GEN_CLOSED else "has returned"
        return f"<{name}, {verb} {self._count} result{'' if self._count == 1 else 's'}>"


def run(
    inputs: Inputs,
    *,
    out: str | Path,
    settings: Settings | str | Path | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    spacing: str | Path | SpacingLike | None = None,
    masks: str | Path | MaskFunction | None = None,
    detector: str | DetectorFunction | None = None,
    group: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    pseudonyms: str | Path | None = None,
    limit: int | None = None,
    dicom: bool = False,
    coco: bool = False,
    quiet: bool = True,
) -> Run:
    """Analyse scans and write tables, overlays and masks; the same as `usmicro run`.

    The arguments are checked at once. Nothing is written or locked before the first result is
    requested, so iterate over the run: `for result in usmicro.run(...)`. When it ends, or the loop
    is left, the tables of the results so far are written, and after the last one also the report.

    Parameters
    ----------
    inputs : path, sequence of paths, or arrays
        Files, folders and zip archives (searched through), glob patterns, addresses such as
        s3://bucket/folder, or DICOMweb addresses of studies and series. Or arrays as
        `usmicro.analyze` takes them: one, a sequence, an iterator, or a mapping of name to array.
        An item may be a tuple (name, array) or (name, array, spacing); others are named
        array-000001 and so on, except a `Scan` with a name. An iterator is read as the run goes on,
        a few arrays ahead. See docs/python.md.
    out : path
        Folder for the results, or its address. It must be empty or new unless `resume` or
        `overwrite` is given.
    settings : Settings or path, optional
        Settings, or a TOML file with settings.
    workers : int, optional
        Number of worker processes; 1 computes in this process. Default: one for each core.
    cluster : str, optional
        Address of a Dask scheduler whose workers compute, instead of processes on this machine.
        They must see the inputs and `out` under the same paths.
    spacing : float, pair of float, Spacing or path, optional
        Pixel spacing in mm for inputs that have none; a pair is (between columns, between rows). Or
        a CSV table whose rows replace the spacing of their images.
    masks : path or function, optional
        Folder of the user's masks, or a function that returns them for a frame, as in
        `usmicro.analyze`. The result of a function must depend on its arguments alone. With several
        workers it must be a function of a module that they can import, not of the script itself.
    detector : function or str, optional
        The user's own detector of foci, as in `usmicro.analyze`, or its name "module:function".
        What is said of a masks function holds for it, too. See docs/detectors.md.
    group : path, optional
        CSV table with the column `group` and one of `image`, `patient` and `study`, see
        docs/outputs.md. Counts over the images of each group are written to groups.csv.
    resume : bool
        Keep the results in `out` whose input, masks and settings are unchanged. With `limit`, the
        results of files beyond the limit stay in the tables, too. A masks function and a detector
        count as unchanged if their parameters and source files are. An array is unchanged if its
        name and its pixels are.
    overwrite : bool
        Delete what a former run wrote to `out`.
    pseudonyms : path, optional
        File with a key; a new key is written if the file does not exist. Every output then names an
        input by a keyed hash of its path below INPUT, and `usmicro pseudonyms` lists which input
        has which name. The file must not lie in `out`.
    limit : int, optional
        Analyse only this many inputs: the first files by name, or the first arrays.
    dicom : bool
        Also write a DICOM Structured Report and a Segmentation of each DICOM scan; needs highdicom.
    coco : bool
        Also write coco.json and the key frames without drawings, for annotation tools.
    quiet : bool
        Report no progress on standard error.

    Returns
    -------
    Run
        Iterator of one `Result` for each input, in the order of the inputs' names, of arrays in
        their order. The result of an input that failed has the `status` "failed" and an `error`.

    Raises
    ------
    UsageError
        If there is nothing to analyse, an argument is wrong, or `out` may not be written to. If
        writing fails later, the error is raised when a result is requested.
    SettingsError
        If a setting is unknown or out of range, or `anatomy.mass_network` or
        `foci.models` cannot be read.
    """
    if resume and overwrite:
        raise UsageError(
            "--resume keeps former results and --overwrite deletes them; give one of the two"
        )
    for option, value in (("--workers", workers), ("--limit", limit)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value}: expected a whole number of at least 1")
    if cluster is not None and workers is not None:
        raise UsageError(
            "--workers is for this machine; the number of workers of a --cluster is set where "
            "they are started; leave out one of the two"
        )
    if dicom and pseudonyms is not None:
        raise UsageError(
            "--dicom writes results that belong to the patient's study and name the patient; "
            "leave out --pseudonyms or --dicom"
        )
    mirror = None
    if is_address(out):
        from usmicro.batch.mirror import Mirror

        if cluster is not None:
            raise UsageError(
                f"--out {out}: with --cluster the output must be a folder that all machines share"
            )
        mirror = Mirror(str(out))
    mask_folder, mask_function = masks_of(masks)
    detecting = detector_of(detector)
    settings = _settings_of_run(settings, detecting)
    if dicom:
        from usmicro.writing.dicom import check_installed

        check_installed()
    key_file = None if pseudonyms is None else Path(pseudonyms)
    key = None
    if key_file is not None:
        key = key_for_run(key_file, out=Path(out) if mirror is None else None)
    sources, arrays = array_inputs(inputs), None
    jobs: list[Job] = []
    remarks: list[str] = []
    warnings: list[RunWarning] = []
    if isinstance(sources, ArrayInputs):
        like = job_of_arrays(
            out=Path(out),
            settings=settings,
            spacing=spacing,
            mask_function=mask_function,
            detector=detecting,
            optional_outputs=("coco",) * coco,
            refused={
                "masks": mask_folder,
                "group": group,
                "pseudonyms": key_file,
                "dicom": dicom,
            },
        )
        arrays = sources.limited(limit), like
        most_workers = arrays[0].count
    else:
        jobs, remarks, warnings = make_jobs(
            sources,
            out=Path(out),
            settings=settings,
            spacing=spacing,
            masks=mask_folder,
            mask_function=mask_function,
            detector=detecting,
            group=group,
            key=key,
            optional_outputs=("dicom",) * dicom + ("coco",) * coco,
        )
        most_workers = len(jobs[:limit])
    jobs, others = jobs[:limit], [] if limit is None else jobs[limit:]
    workers = workers or available_cores()
    workers = workers if most_workers is None else min(workers, most_workers)
    if workers > 1 or cluster is not None:
        for function in (mask_function, detecting):
            if function is not None:
                function.check_importable()
    content = folder_content(Path(out)) if mirror is None else mirror.content()
    check_content(out, content, resume=resume, overwrite=overwrite)
    record = Record(
        settings,
        workers=workers if cluster is None else None,
        spacing=spacing,
        masks=mask_function or mask_folder,
        detector="" if detecting is None else detecting.label,
        group=group,
        remarks=remarks,
        warnings=warnings,
        private=key is not None,
    )
    return Run(
        RunPlan(
            jobs=jobs,
            arrays=arrays,
            others=others if resume else [],
            record=record,
            out=out,
            mirror=mirror,
            workers=workers if cluster is None else None,
            cluster=cluster,
            key_file=key_file,
            key=key,
            resume=resume,
            overwrite=overwrite,
            quiet=quiet,
        )
    )


def _settings_of_run(
    given: Settings | str | Path | None, detector: UserFunction[DetectorFunction] | None
) -> Settings:
    """Return the settings of a run; check the files that they name, so that not every input fails.

    Raises
    ------
    SettingsError
        If a setting is unknown or out of range, or a file that it names cannot be read.
    """
    if given is None or isinstance(given, str | Path):
        given = read_settings(None if given is None else Path(given))
    settings = checked_settings(given)
    if detector is not None:
        from usmicro.foci.user_detector import listing_all_detections

        settings = listing_all_detections(settings)
    if settings.anatomy.mass_network:
        from usmicro.numerics.networks import check_network

        check_network(Path(settings.anatomy.mass_network))
    if settings.foci.models:
        from usmicro.foci.models import check_focus_models

        check_focus_models(settings.foci.models)
    return settings
