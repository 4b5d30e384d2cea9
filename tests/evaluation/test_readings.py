import csv
import json

import numpy as np
import pytest

from tests.helpers.evaluated_run import make_run
from tests.helpers.reviews import focus_review, image_review, mass_review, write_review
from usmicro.cli import main
from usmicro.errors import UsageError
from usmicro.evaluation import evaluate, metrics


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setitem(metrics.bootstrap.__kwdefaults__, "rounds", 20)


@pytest.fixture
def run(tmp_path):
    """A run whose images have foci 1 at (30, 30) and 2 at (60, 40), and a mass of 20 x 20."""
    return make_run(tmp_path / "run")


def values(evaluation):
    return {row.measure: row.estimate.value for row in evaluation.rows}


def readers(evaluation):
    return {
        (row.one, row.other, row.row.measure): row.row.estimate.value for row in evaluation.readers
    }


def test_accepted_and_added_foci_are_true_and_rejected_ones_false(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(calcification="yes"),
        focus_review(1, 30, 30, label="extramass", shadow="yes", twinkling="possible"),
        focus_review(2, 60, 40, "rejected"),
        focus_review("", 10, 70, "added", label="intramass"),
        image_review("c.png", calcification="no"),
        focus_review(1, 30, 30, "rejected", image="c.png"),
        focus_review(2, 60, 40, "rejected", image="c.png"),
    )
    evaluation = evaluate(run, review)
    measured = values(evaluation)
    assert measured["listed foci, sensitivity"] == 1 / 2
    assert measured["listed foci, false positives per image"] == 3 / 2
    assert measured["labels of foci, accuracy"] == 0
    assert measured["shadows of foci, sensitivity where assessable"] == 0
    assert measured["calcification, false-positive rate"] == 1
    assert "twinkling score, AUC" not in measured  # "possible" does not say whether it twinkles
    image = evaluation.comparison.images[0]
    assert image.truth.calcification == "in a mass+outside a mass"
    assert evaluation.readers == []


def test_a_focus_that_the_reader_moved_is_a_hit_wherever_it_was(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(),
        focus_review(1, 50, 60),
        focus_review(2, 60, 40, "rejected"),
    )
    evaluation = evaluate(run, review)
    assert values(evaluation)["listed foci, sensitivity"] == 1
    assert values(evaluation)["listed foci, false positives per image"] == 1


def test_a_rejected_focus_beside_an_added_one_hits_it(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(),
        focus_review(1, 30, 30, "rejected"),
        focus_review("", 31, 31, "added"),
        focus_review(2, 60, 40, "rejected"),
    )
    measured = values(evaluate(run, review))
    assert measured["listed foci, sensitivity"] == 1
    assert measured["listed foci, false positives per image"] == 1


def test_an_undecided_focus_is_not_counted_and_a_remark_says_so(run, tmp_path):
    review = write_review(tmp_path / "review.csv", image_review(), focus_review(1, 30, 30))
    evaluation = evaluate(run, review)
    assert values(evaluation)["listed foci, false positives per image"] == 0
    assert any("1 listed foci on reviewed images have no decision" in r for r in evaluation.remarks)


def test_an_undecided_focus_below_the_confidence_of_listing_is_false(run, tmp_path):
    text = (run / "foci.csv").read_text()
    (run / "foci.csv").write_text(text.replace(",0.5,", ",0.01,"))
    review = write_review(tmp_path / "review.csv", image_review(), focus_review(1, 30, 30))
    evaluation = evaluate(run, review)
    assert evaluation.froc.false_positives.tolist() == [0, 1]
    assert not any("listed foci on reviewed" in remark for remark in evaluation.remarks)


def test_foci_and_masses_count_only_on_reviewed_images(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review("a.png"),
        focus_review(1, 30, 30, image="c.png"),
        image_review("d.png", calcification="no", reviewed=""),
    )
    evaluation = evaluate(run, review)
    by_name = {image.name: image for image in evaluation.comparison.images}
    assert set(by_name) == {"a.png", "d.png"}
    assert by_name["d.png"].detections is None
    assert by_name["d.png"].truth.calcification == "none"
    remarks = " ".join(evaluation.remarks)
    assert "1 images with decisions are not marked as reviewed, such as c.png" in remarks


def test_masses_are_those_that_the_reader_left(run, tmp_path):
    box = '"60,50 79,50 79,69 60,69"'
    review = write_review(
        tmp_path / "review.csv",
        image_review("a.png"),
        mass_review("accepted"),
        mass_review("accepted", number="", x=69.5, y=59.5, outline_px=box),
        image_review("c.png"),
        mass_review("rejected", image="c.png"),
        image_review("d.png"),
    )
    evaluation = evaluate(run, review)
    by_name = {image.name: image for image in evaluation.comparison.images}
    assert by_name["a.png"].masses.dice_of_true == (1, None)
    assert by_name["a.png"].dice["masses"] == pytest.approx(2 / 3)  # both are 20 x 20 pixels
    assert by_name["c.png"].false_areas == {"masses": True}
    assert by_name["d.png"].masses is None  # the reader has not decided on its mass
    assert any("masses of 1 reviewed images are not counted" in r for r in evaluation.remarks)


def test_a_moved_mass_has_the_outline_of_the_reader(run, tmp_path):
    box = '"22,20 41,20 41,39 22,39"'
    row = mass_review("accepted", x=31.5, outline_px=box)
    evaluation = evaluate(run, write_review(tmp_path / "r.csv", image_review(), row))
    (image,) = evaluation.comparison.images
    assert image.dice["masses"] == pytest.approx(0.9)


def test_problems_of_the_review_are_remarks_and_its_other_rows_count(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(),
        focus_review(1, 30, 30),
        focus_review(2, 60, 40, "rejected"),
        focus_review(3, 1, 1, "perhaps"),
        image_review("unknown.png"),
    )
    evaluation = evaluate(run, review)
    assert values(evaluation)["listed foci, sensitivity"] == 1
    remarks = " ".join(evaluation.remarks)
    assert "column decision: expected accepted, rejected, added" in remarks
    assert "image that the run does not have" in remarks


def test_without_reviewed_images_and_answers_an_error_says_what_to_do(run, tmp_path):
    review = write_review(tmp_path / "review.csv", focus_review(1, 30, 30))
    with pytest.raises(UsageError, match=r"no image is marked as reviewed.*keys V and Y"):
        evaluate(run, review)


def test_the_review_of_another_run_counts_by_position(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(),
        focus_review(9, 31, 31),  # there, focus 9 is where focus 1 of this run is
        focus_review(8, 90, 70, "rejected"),
    )
    evaluation = evaluate(run, review)
    assert values(evaluation)["listed foci, sensitivity"] == 1
    assert values(evaluation)["listed foci, false positives per image"] == 1
    assert any("focus of another run" in remark for remark in evaluation.remarks)


def two_readers(path, **other):
    """Both mark focus 1 of a.png; only AB marks a further focus, and only CD focus 2."""
    rows = []
    for reader in ("AB", "CD"):
        rows += [
            image_review(reader=reader, calcification="yes"),
            focus_review(1, 30, 30, reader=reader, label="intramass"),
            image_review("c.png", reader=reader, calcification="yes" if reader == "AB" else "no"),
            focus_review(1, 30, 30, "rejected", image="c.png", reader=reader),
            focus_review(2, 60, 40, "rejected", image="c.png", reader=reader),
            image_review("sub/b.png", reader=reader, calcification="no"),
            focus_review(1, 30, 30, image="sub/b.png", reader=reader, label="extramass"),
            focus_review(2, 60, 40, image="sub/b.png", reader=reader, label="extramass"),
            mass_review(image="c.png", reader=reader),
        ]
    rows += [
        focus_review("", 10, 70, "added", reader="AB"),
        focus_review(2, 60, 40, "rejected", reader="AB"),
        focus_review(2, 60, 40, reader="CD"),
    ]
    return write_review(path, *rows)


def test_two_readers_are_compared_with_each_other_and_with_the_program(run, tmp_path):
    evaluation = evaluate(run, two_readers(tmp_path / "review.csv"), out=tmp_path / "out")
    table = readers(evaluation)
    # of 4 marks each, 3 are common to both, on three images
    for one, other in (("AB", "CD"), ("CD", "AB")):
        assert table[one, other, "foci, sensitivity"] == 3 / 4
        assert table[one, other, "foci, false positives per image"] == pytest.approx(1 / 3)
        assert table[one, other, "calcification present, kappa"] == pytest.approx(0.4)
        assert table[one, other, "labels of foci, kappa"] == 1
    assert table["program", "AB", "foci, sensitivity"] == 3 / 4
    assert table["program", "CD", "foci, sensitivity"] == 1
    assert table["program", "CD", "foci, false positives per image"] == pytest.approx(2 / 3)
    # the marks of one reader alone are neither hits nor false positives
    assert table["program", "consensus", "foci, sensitivity"] == 1
    assert table["program", "consensus", "foci, false positives per image"] == pytest.approx(2 / 3)
    assert values(evaluation)["listed foci, sensitivity"] == 1
    by_name = {image.name: image for image in evaluation.comparison.images}
    assert by_name["c.png"].truth.calcification is None  # one says yes, one says no
    assert by_name["c.png"].masses.dice_of_true == (1,)
    assert any("2 readers (AB, CD)" in remark for remark in evaluation.remarks)
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<h2>Readers</h2>" in page
    with open(tmp_path / "out" / "readers.csv", newline="") as lines:
        assert len(list(csv.DictReader(lines))) == len(evaluation.readers)
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["readers"] == evaluation.reader_rows()


def test_the_majority_of_three_readers_decides(run, tmp_path):
    rows = []
    for reader, decision in (("A", "accepted"), ("B", "accepted"), ("C", "rejected")):
        rows += [image_review(reader=reader, calcification="yes" if reader < "C" else "no")]
        rows += [focus_review(1, 30, 30, decision, reader=reader)]
        rows += [
            focus_review(2, 60, 40, "accepted" if reader == "A" else "rejected", reader=reader)
        ]
    evaluation = evaluate(run, write_review(tmp_path / "r.csv", *rows))
    (image,) = evaluation.comparison.images
    assert len(image.targets) == 1
    assert image.truth.calcification == "present"
    assert values(evaluation)["listed foci, sensitivity"] == 1
    assert values(evaluation)["listed foci, false positives per image"] == 1


def test_reviews_of_a_folder_are_read_together_with_a_table_of_patients(run, tmp_path):
    folder = tmp_path / "truth"
    folder.mkdir()
    for reader in "AB":
        write_review(
            folder / f"{reader}.csv",
            image_review(reader=reader),
            focus_review(1, 30, 30, reader=reader),
            image_review("c.png", reader=reader),
        )
    (folder / "patients.csv").write_text("image,patient\na,1\nc,1\nd,2\n")
    evaluation = evaluate(run, folder)
    assert evaluation.resampled == "patients"
    assert {row.one for row in evaluation.readers} == {"A", "B", "program"}
    (folder / "marks.csv").write_text("image,x_px,y_px\na.png,1,1\n")
    with pytest.raises(UsageError, match="labelled by a review and by another table"):
        evaluate(run, folder)


def test_the_command_takes_a_review(run, tmp_path, capsys):
    review = write_review(tmp_path / "review.csv", image_review(), focus_review(1, 30, 30))
    assert main(["evaluate", str(run), str(review)]) == 0
    assert "listed foci, sensitivity" in capsys.readouterr().out
    write_review(tmp_path / "review.csv", focus_review(1, 1, 1, image="x.png"))
    assert main(["evaluate", str(run), str(review)]) == 2
    assert "no row of the review can be used" in capsys.readouterr().err


def test_decided_detections_hit_their_target_wherever_they_lie():
    detections = metrics.match(
        [(0, 0), (1, 0), (50, 50)],
        [0.9, 0.8, 0.7],
        [(0, 0, 4), (90, 90, 4)],
        decided={1: 0, 2: -1},
    )
    assert detections.target.tolist() == [-1, 0, -1]
    assert np.flatnonzero(detections.false_positive).tolist() == [0, 2]


def test_comments_are_shown_beside_what_they_are_about(run, tmp_path):
    review = write_review(
        tmp_path / "review.csv",
        image_review(comment="dense & dark"),
        focus_review(1, 30, 30, comment="sure"),
        focus_review(2, 60, 40, "rejected", comment="vessel <b>"),
        focus_review("", 10, 70, "added", comment="faint"),
        mass_review(comment="lobulated"),
        {**focus_review(1, 30, 30, "", image="c.png", comment="ask AB")},
    )
    evaluate(run, review, out=tmp_path / "out")
    foci = list(csv.DictReader((tmp_path / "out" / "foci.csv").open()))
    found = {(row["image"], row["outcome"], row["comment"]) for row in foci}
    assert found >= {
        ("a.png", "found", "sure"),
        ("a.png", "false", "vessel <b>"),
        ("a.png", "missed", "faint"),
    }
    images = list(csv.DictReader((tmp_path / "out" / "images.csv").open()))
    assert images[0]["comment"] == "dense & dark; mass 1: lobulated"
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<q>vessel &lt;b&gt;</q>" in page
    assert "<q>faint</q>" in page


def test_a_comment_without_decision_leaves_its_focus_undecided(run, tmp_path):
    row = focus_review(2, 60, 40, "", comment="ask AB")
    bare = write_review(tmp_path / "bare.csv", image_review(), focus_review(1, 30, 30))
    review = write_review(tmp_path / "r.csv", image_review(), focus_review(1, 30, 30), row)
    assert values(evaluate(run, review)) == values(evaluate(run, bare))
    evaluation = evaluate(run, review)
    assert evaluation.comments.on_focus("a.png", 2) == "ask AB"
    assert any("1 listed foci" in remark for remark in evaluation.remarks)


def test_comments_of_several_readers_have_their_names(run, tmp_path):
    rows = [
        {**row, "reader": reader}
        for reader in ("AB", "CD")
        for row in (image_review(), focus_review(1, 30, 30, comment=f"of {reader}"))
    ]
    evaluation = evaluate(run, write_review(tmp_path / "review.csv", *rows))
    assert evaluation.comments.on_focus("a.png", 1) == "AB: of AB; CD: of CD"
