import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import usmicro
from tests.helpers.fake_analysis import CRASHES, EXITS, PRINTS, RAISES, SCRIPT_HEAD
from tests.helpers.run_outputs import table
from usmicro.batch import workers
from usmicro.errors import UsageError, UsmicroError

ROOT = str(Path(__file__).parents[2])


def rows(folder):
    """Return the tables without the column of measured times."""
    images = [{**row, "seconds": ""} for row in table(folder / "images.csv")]
    return images, (folder / "foci.csv").read_bytes(), (folder / "masses.csv").read_bytes()


@pytest.mark.usefixtures("fake_analysis")
def test_workers_write_the_same_tables_as_one_process(bad_scans, tmp_path):
    for count in (1, 3):
        results = list(usmicro.run(bad_scans, out=tmp_path / str(count), workers=count))
        assert [result.image for result in results] == sorted(result.image for result in results)
    assert rows(tmp_path / "1") == rows(tmp_path / "3")


@pytest.mark.usefixtures("fake_analysis")
def test_only_the_file_that_crashes_a_worker_fails(scans, tmp_path, write_scan):
    write_scan(scans / "crashes.png", 21, first=CRASHES)
    write_scan(scans / "exits.png", 22, first=EXITS)
    write_scan(scans / "prints.png", 23, first=PRINTS)
    results = {result.image: result for result in usmicro.run(scans, out=tmp_path / "r", workers=2)}
    assert {name for name, result in results.items() if result.status == "failed"} == {
        "crashes.png",
        "exits.png",
    }
    assert "killed by SIGSEGV" in results["crashes.png"].error
    assert any(
        "fake_analysis.py" in line and "in analyze" in line for line in results["crashes.png"].log
    )
    assert not any(line.startswith("/") for line in results["crashes.png"].log)
    assert "status 3" in results["exits.png"].error


@pytest.mark.usefixtures("fake_analysis")
def test_a_run_ends_if_no_job_succeeds_while_kernels_are_not_compiled(
    tmp_path, write_scan, monkeypatch
):
    monkeypatch.setattr("usmicro.batch.warmup.is_compiled", lambda: False)
    for number in range(6):
        write_scan(tmp_path / "scans" / f"{number}.png", number, first=RAISES)
    results = list(usmicro.run(tmp_path / "scans", out=tmp_path / "r", workers=2))
    assert [result.status for result in results] == ["failed"] * 6


@pytest.mark.usefixtures("fake_analysis")
def test_workers_end_when_the_run_is_closed(scans, tmp_path, monkeypatch):
    started: list[subprocess.Popen[bytes]] = []

    def start(*args, popen=subprocess.Popen, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    results = usmicro.run(scans, out=tmp_path / "r", workers=2)
    next(results)
    results.close()
    assert started
    assert all(process.poll() is not None for process in started)


@pytest.mark.usefixtures("fake_analysis")
def test_a_run_ends_if_an_output_cannot_be_written(scans, tmp_path):
    list(usmicro.run(scans, out=tmp_path / "r", workers=1, limit=1))
    shutil.rmtree(tmp_path / "r" / "overlays")
    (tmp_path / "r" / "overlays").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        list(usmicro.run(scans, out=tmp_path / "r", workers=2, resume=True))


def test_a_worker_that_cannot_start_is_reported(scans, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "WORKER_PROGRAM", "raise SystemExit('no such thing')")
    with pytest.raises(UsmicroError, match="could not start: no such thing"):
        list(usmicro.run(scans, out=tmp_path / "r", workers=2))


def test_a_script_needs_no_main_guard(scans, tmp_path):
    """With multiprocessing, every worker would run a script without such a guard again."""
    script = tmp_path / "script.py"
    script.write_text(
        f"{SCRIPT_HEAD}for result in usmicro.run(sys.argv[1], out=sys.argv[2], workers=2):\n"
        "    print(result.image)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), ROOT, str(scans), str(tmp_path / "r")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["a.png", "b.png", "sub/a.png", "sub/deep/c.png", "z.bmp"], (
        done.stderr
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_keeps_finished_results(scans, tmp_path, number):
    program = f"""{SCRIPT_HEAD}
import signal, time
from tests.helpers import fake_analysis
from usmicro.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it otherwise
module = sys.modules["usmicro.analysis"] = fake_analysis.fake_module()

def analyze(scan, **options):
    if scan.name != "a.png":
        time.sleep(60)
    return fake_analysis.analyze(scan, **options)

module.analyze = analyze
sys.exit(main(sys.argv[1:]))
"""
    arguments = ["run", str(scans), "--out", str(tmp_path / "r"), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, ROOT, *arguments],
        stderr=subprocess.PIPE,
        text=True,
    )
    overlay = tmp_path / "r" / "overlays" / "a.png"
    for _ in range(300):
        if overlay.exists():
            break
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "r" / "images.csv").read_text().splitlines()[1].startswith("a.png,ok")


def test_the_main_process_of_several_workers_needs_no_numba():
    program = "import sys, usmicro.batch; print('numba' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
