"""An analysis that is already there, written to a folder as a run over its scan writes it."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from usmicro.batch.execution import RunPlan, execute
from usmicro.batch.job_files import write_result
from usmicro.batch.jobs import Job
from usmicro.batch.names import checked_name
from usmicro.batch.record import Record
from usmicro.batch.results import Result
from usmicro.batch.store import check_content, folder_content
from usmicro.errors import UsageError
from usmicro.loading.remote import is_address
from usmicro.loading.second_reading import frames_at
from usmicro.result import Analysis
from usmicro.writing.names import file_stems
from usmicro.writing.optional_outputs import OptionalOutputs


def save_analysis(
    analysis: Analysis, folder: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write the findings of a scan to a folder, as `usmicro.run` writes them.

    See `Analysis.save`.
    """
    if is_address(str(folder)):
        raise UsageError(
            f"{folder}: expected a folder on this machine; usmicro.run writes to addresses"
        )
    out = Path(folder)
    content = folder_content(out)
    if content.has_results and not overwrite:
        raise UsageError(
            f"{out}: holds results already; save with overwrite=True to replace them, "
            "or give another folder"
        )
    check_content(out, content, resume=False, overwrite=overwrite)
    scan = analysis.scan
    is_file_name = scan.path is not None and scan.name == scan.path.name
    name = scan.name if is_file_name else checked_name(scan.name)
    job = Job(
        name=name,
        path=scan.path or Path(name),
        out=out,
        stem=file_stems([name])[0],
        settings=analysis.settings,
    )
    given = scan.spacing if scan.spacing.source == "given" else None
    record = Record(
        analysis.settings,
        workers=1,
        spacing=given,
        masks=analysis.masks,
        detector=analysis.detector,
        remarks=[],
        warnings=[],
    )
    plan = RunPlan(
        jobs=[job],
        others=[],
        record=record,
        out=out,
        mirror=None,
        workers=1,
        cluster=None,
        key_file=None,
        key=None,
        resume=False,
        overwrite=overwrite,
        quiet=True,
        compute=partial(_write, analysis),
    )
    for _ in execute(plan):
        pass
    return out


def _write(analysis: Analysis, job: Job) -> Result:
    """Write the files of an analysis."""
    return write_result(
        job,
        analysis,
        analysis.scan,
        OptionalOutputs({}, job.path, "", given=False),  # there are none
        read_again=partial(frames_at, analysis.scan),
        start=time.perf_counter(),
    )
