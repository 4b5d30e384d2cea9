import csv

import pytest

from tests.helpers.made_run import make_run, tables
from usmicro.writing.report.devices import MOST_DEVICES, devices
from usmicro.writing.report.page import write_report
from usmicro.writing.report.run import read_run


@pytest.fixture
def with_devices(tmp_path, make_analysis):
    """Return a function that makes a run whose images have these devices, in turn."""

    def make(found):
        folder = make_run(
            tmp_path / "r", make_analysis(), copies=max(0, len(found) - 4), pictures=False
        )
        rows = tables(folder)["images"]
        done = [row for row in rows if row["status"] == "ok"]
        for row, device in zip(done, found, strict=False):
            row |= dict(zip(("manufacturer", "model", "transducer"), device, strict=True))
        with open(folder / "images.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return folder

    return make


def test_devices_are_counted_and_their_names_are_text(with_devices):
    folder = with_devices(
        [("<b>Maker</b>", "7", "L12"), ("<b>Maker</b>", "7", "L12"), ("Other", "", "")]
    )
    text = write_report(folder).read_text(encoding="utf-8")
    section = text[text.index('<section id="devices">') :].split("</section>")[0]
    foci = int(next(row for row in tables(folder)["images"] if row["status"] == "ok")["foci"])
    per_image = f'<td class="number of-findings">{foci:.2f}</td>'
    rows = section.split("<tr>")[2:]
    assert rows[0].startswith(
        '<td>&lt;b&gt;Maker&lt;/b&gt;</td><td>7</td><td>L12</td><td class="number">2</td>'
    )
    assert rows[1].startswith('<td>Other</td><td></td><td></td><td class="number">1</td>')
    assert rows[2].startswith("<td>not known</td>")
    assert len(rows) == 3
    assert all(per_image in row for row in rows)


def test_no_table_without_devices(with_devices):
    assert devices(read_run(with_devices([]))) == ""


def test_long_lists_of_devices_are_cut_with_a_note(with_devices):
    found = [("Maker", str(number), "") for number in range(MOST_DEVICES + 3)]
    text = devices(read_run(with_devices(found)))
    assert text.count("<tr>") == 1 + MOST_DEVICES
    assert "3 more devices are in images.csv" in text
