import re

import pytest

from tests.helpers.evaluated_run import make_run
from tests.helpers.reviews import focus_review, mass_review, write_review
from usmicro.errors import UsageError
from usmicro.evaluation.review import read_review
from usmicro.evaluation.review_cells import REVIEW_COLUMNS
from usmicro.writing.report.run import read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose images have foci at (30, 30) and (60, 40) and a mass around (29.5, 29.5)."""
    return read_run(make_run(tmp_path_factory.mktemp("review") / "run"))


def texts(review):
    return [problem.text for problem in review.problems]


def test_the_kind_of_a_row_follows_from_its_cells(run, tmp_path):
    file = write_review(
        tmp_path / "review.csv",
        {"image": "a.png", "calcification": "yes", "reader": "AB", "reviewed": "yes", "blind": ""},
        focus_review(
            1, 31.5, 30, label="intramass", shadow="no", twinkling="possible", diameter_px=4.5
        ),
        focus_review(2, 60, 40, "rejected"),
        focus_review("", 10, 12.25, "added", reader="AB", label="intraductal", blind="yes"),
        {"image": "a.png", "x_px": 29.5, "y_px": 29.5, "mass": "rejected", "mass_number": 1},
        {
            **{"image": "a.png", "x_px": 55, "y_px": 55, "mass": "accepted"},
            "outline_px": '"50,50 60,50 60,60 50,60"',
        },
        {"image": "c.png", "calcification": "unsure", "comment": '"\'=1+1, ""quoted"""'},
    )
    review = read_review(file, run)
    assert review.problems == []
    assert review.fits
    assert review.readers == ["", "AB"]
    assert review.reviewed_images == ["a.png"]
    accepted, rejected, added = review.foci
    assert (accepted.focus, accepted.x_px, accepted.diameter_px) == (1, 31.5, 4.5)
    assert (accepted.label, accepted.shadow, accepted.twinkling) == ("intramass", "no", "possible")
    assert (rejected.focus, rejected.decision, rejected.label) == (2, "rejected", None)
    assert (added.focus, added.decision, added.y_px, added.blind) == (None, "added", 12.25, True)
    listed, drawn = review.masses
    assert (listed.mass, listed.decision, listed.outline) == (1, "rejected", None)
    assert (drawn.mass, drawn.decision) == (None, "added")
    assert drawn.outline == ((50, 50), (60, 50), (60, 60), (50, 60))
    answered, commented = review.images
    assert (answered.calcification, answered.reviewed) == ("present", True)
    assert (commented.calcification, commented.comment) == ("unsure", '=1+1, "quoted"')
    assert [row.decision for row in review.of_reader("AB").foci] == ["added"]


def test_a_byte_order_mark_and_other_line_ends_are_accepted(run, tmp_path):
    file = write_review(tmp_path / "review.csv", focus_review(1, 30, 30, reader="AB"))
    plain = read_review(file, run)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert read_review(file, run) == plain


def test_a_file_without_the_later_columns_counts_its_images_as_read(run, tmp_path):
    columns = REVIEW_COLUMNS[:14]
    file = write_review(
        tmp_path / "review.csv",
        focus_review(1, 30, 30),
        {"image": "c.png", "calcification": "no"},
        columns=columns,
    )
    review = read_review(file, run)
    assert review.reviewed_images == ["a.png", "c.png"]
    assert {row.image: row.calcification for row in review.images} == {
        "a.png": None,
        "c.png": "none",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (focus_review(1, 1, 1, image="x.png"), "image that the run does not have; row not used"),
        (focus_review(1, 1, 1, "perhaps"), "column decision: expected accepted, rejected, added"),
        (focus_review("one", 1, 1), "column focus: expected a whole number of at least 1"),
        (
            focus_review("", 1, 1),
            "column focus: expected a number for an accepted or rejected focus",
        ),
        (focus_review(1, "left", 1), "column x_px: expected a number of pixels; row not used"),
        (focus_review(1, 1, ""), "column y_px: expected a number of pixels; row not used"),
        (focus_review(1, 1, 400), "expected a position in the image; row not used"),
        (
            {"image": "a.png", "mass": "accepted", "x_px": 1, "y_px": 1, "outline_px": '"1,1 2,2"'},
            "column outline_px: expected at least three corners",
        ),
        ({"image": "a.png", "mass": "accepted", "x_px": 1, "y_px": 1}, "column mass_number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_the_others_are_used(run, tmp_path, row, message):
    file = write_review(tmp_path / "review.csv", row, focus_review(2, 60, 40))
    review = read_review(file, run)
    assert [row.focus for row in review.foci] == [2]
    (text,) = texts(review)
    assert message in text
    assert "1 row (review.csv, line 2: " in text


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"label": "inside"}, "column label: expected intramass, extramass, intraductal or"),
        ({"shadow": "perhaps"}, "column shadow: expected yes, no, not assessable or nothing"),
        ({"twinkling": "1"}, "column twinkling: expected yes, possible, no, not assessable or"),
        ({"diameter_px": -2}, "column diameter_px: expected a number of pixels of at least 0"),
    ],
)
def test_a_cell_that_cannot_be_used_counts_as_empty(run, tmp_path, cells, message):
    review = read_review(
        write_review(tmp_path / "review.csv", focus_review(1, 30, 30, **cells)), run
    )
    (row,) = review.foci
    assert (row.label, row.shadow, row.twinkling, row.diameter_px) == (None, None, None, None)
    (text,) = texts(review)
    assert message in text
    assert "cell not used" in text


def test_problems_of_one_kind_are_counted_with_examples(run, tmp_path):
    rows = [focus_review(1, 1, 1, image=f"{name}.png") for name in "pqrst"]
    (text,) = texts(
        read_review(write_review(tmp_path / "r.csv", *rows, focus_review(2, 60, 40)), run)
    )
    assert "5 rows" in text
    assert "p.png" in text
    assert "t.png" not in text


@pytest.mark.parametrize("length", [1, 8, 30])
def test_a_file_that_is_cut_off_loses_only_its_last_row(run, tmp_path, length):
    file = write_review(
        tmp_path / "review.csv",
        focus_review(1, 30, 30),
        focus_review(2, 60, 40, comment='"cut, off"'),
    )
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b"a.png") + length])
    review = read_review(file, run)
    assert [row.focus for row in review.foci] == [1]
    assert "the file ends within the row" in texts(review)[0]
    file.write_bytes(content[: content.rindex(b"off")])  # within quotes
    review = read_review(file, run)
    assert [row.focus for row in review.foci] == [1]
    assert "the file ends within the row" in texts(review)[0]


def test_a_row_with_other_cells_does_not_end_the_reading(run, tmp_path):
    file = write_review(tmp_path / "review.csv", focus_review(1, 30, 30), focus_review(2, 60, 40))
    lines = file.read_text().split("\n")
    lines.insert(1, "a.png,0,1")
    file.write_text("\n".join(lines))
    review = read_review(file, run)
    assert [row.focus for row in review.foci] == [1, 2]
    assert "3 instead of 19 cells" in texts(review)[0]


def test_the_last_of_two_rows_about_one_focus_is_used(run, tmp_path):
    rows = (
        focus_review(1, 30, 30),
        focus_review(1, 30, 30, "rejected"),
        focus_review(1, 30, 30, reader="CD"),
    )
    review = read_review(write_review(tmp_path / "review.csv", *rows), run)
    assert [(row.reader, row.decision) for row in review.foci] == [
        ("", "rejected"),
        ("CD", "accepted"),
    ]
    (text,) = texts(review)
    assert "repetition of an earlier row" in text
    assert "first in review.csv, line 2" in text


def test_foci_of_another_run_are_found_by_their_position(run, tmp_path):
    # here focus 7 is at the place of focus 2 of the run, and focus 8 where it has none
    rows = (
        focus_review(7, 61, 41),
        focus_review(8, 10, 70, "rejected"),
        focus_review(1, 60, 40, image="c.png"),
    )
    review = read_review(write_review(tmp_path / "review.csv", *rows), run)
    assert not review.fits
    assert [row.focus for row in review.foci] == [2, None, 2]
    (text,) = texts(review)
    assert "focus of another run" in text
    assert "focus 7 of a.png" in text


def test_the_identifier_of_the_run_tells_a_review_of_another_run(run, tmp_path):
    rows = (
        focus_review(1, 60, 40),  # the number is one of this run, too
        focus_review(2, 60, 40, image="c.png", frame=3),
        mass_review(x=29.5),
        mass_review(x=27, image="c.png"),
    )
    file = write_review(
        tmp_path / "review.csv", *(row | {"run": run.identifier} for row in rows[:1])
    )
    assert read_review(file, run).foci[0].focus == 1  # moved
    review = read_review(write_review(file, *(row | {"run": "0123456789ab"} for row in rows)), run)
    assert not review.fits
    assert [row.focus for row in review.foci] == [2, None]  # this run has none on frame 3
    assert [row.mass for row in review.masses] == [1, None]
    assert [text.partition(" of another run")[0] for text in texts(review)] == [
        "review: focus",
        "review: mass",
    ]


def test_a_moved_focus_keeps_its_number(run, tmp_path):
    review = read_review(write_review(tmp_path / "review.csv", focus_review(1, 60, 41)), run)
    assert review.fits
    assert review.foci[0].focus == 1


def test_files_of_several_readers_are_read_together(run, tmp_path):
    files = [
        write_review(tmp_path / f"{reader}.csv", focus_review(1, 30, 30, reader=reader))
        for reader in "AB"
    ]
    review = read_review(files, run)
    assert review.readers == ["A", "B"]
    assert review.files == tuple(files)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,x_px,y_px\na.png,1,1\n", "the columns focus, decision, reader are missing"),
        ("", "is not a review"),
        ("image;decision;reader\n", "is not a review"),
        (f"{','.join(REVIEW_COLUMNS)}\n", "no row of the review can be used"),
        (b"\xff\xfe\x00", "cannot be read as a review"),
    ],
)
def test_the_error_for_a_file_that_is_no_review_says_what_is_expected(
    run, tmp_path, content, message
):
    file = tmp_path / "review.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=re.escape(message)):
        read_review(file, run)


def test_the_error_for_a_review_of_other_images_names_them(run, tmp_path):
    file = write_review(tmp_path / "review.csv", focus_review(1, 1, 1, image="elsewhere.png"))
    with pytest.raises(UsageError, match=r"(?s)no row of the review.*such as a.png.*elsewhere.png"):
        read_review(file, run)
