"""The commands of pages whose output is not shown run in order.

Not run in any test are the commands that install usmicro (.ci/run does), those that need a server
or other machines (README.md, docs/dicom.md, docs/reliability.md), and those that measure or train
for minutes to hours with labelled scans (docs/accuracy.md, method, models, reliability, speed).
That their modules, and the options of `usmicro`, exist is tested in test_examples.py. Pages about
reviews are in test_review_pages.py.
"""

import shutil

import pytest

from tests.helpers.examples import ROOT, blocks

PAGES = {
    "troubleshooting": "results-strict/report.html",
    "compare": "results-more/comparison/comparison.html",
    "reading": "results-all/report.html",
}
"""Pages, each with a file that its last command writes."""


def run_page(reader, page):
    for block in blocks(ROOT / "docs" / f"{page}.md"):
        if block.language in ("sh", "python") and "pip install" not in block.text:
            if "usmicro run" in block.text:  # a page may use the same folder again
                for folder in ("results", "results-new", "results-more"):
                    shutil.rmtree(reader.folder / folder, ignore_errors=True)
            reader.run(block)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(reader, page):
    run_page(reader, page)
    assert (reader.folder / PAGES[page]).is_file()


def test_the_commands_for_dicom_results_run(reader):
    pytest.importorskip("highdicom")
    first, *_ = (b for b in blocks(ROOT / "docs" / "dicom.md") if b.language == "sh")
    for command in first.commands:
        if command.startswith("usmicro"):
            reader.run_command(command)
    assert (reader.folder / "results" / "dicom" / "mass_regions.sr.dcm").is_file()
