import pytest

from usmicro.errors import UsageError
from usmicro.loading.groups import read_groups

IMAGES = ("site/p1/s1/a.png", "site/p1/s2/a.png", "site/p2/s3/b.png", "c.png")


@pytest.fixture
def table(tmp_path):
    def write(text):
        (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
        return tmp_path / "groups.csv"

    return write


def test_images_by_path_or_unique_file_name(table):
    groups = read_groups(
        table("image,group,note\nsite/p1/s1/a.png,A,x\nb.png,B,\ngone.png,B,\n"), IMAGES
    )
    assert groups.of_image == {IMAGES[0]: "A", IMAGES[2]: "B"}
    assert groups.names == ("A", "B")
    assert groups.unused == ("gone.png",)
    assert groups.without == (IMAGES[3], IMAGES[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("patient;group\np1;cases\np2;controls\n", ["cases", "cases", "controls"]),
        ("study,group\ns1,1\nsite/p1/s2,2\ns3,1\n", ["1", "2", "1"]),
        ("patient,group\nsite\\p1,x\n", ["x", "x"]),
    ],
)
def test_patients_and_studies_are_folders(table, text, expected):
    groups = read_groups(table(text), IMAGES)
    assert list(groups.of_image.values()) == expected


def test_patients_from_labels(table):
    groups = read_groups(table("patient,group\n17,cases\n"), IMAGES, patients={"c.png": "17"})
    assert groups.of_image == {"c.png": "cases"}


def test_path_of_an_image_comes_before_the_file_name_of_another(table):
    names = ("a.png", "b/a.png")
    assert read_groups(table("image,group\na.png,A\n"), names).of_image == {"a.png": "A"}


def test_names_match_in_any_form_of_unicode(table):
    groups = read_groups(table("image,group\nbe\u0301.png,A\n"), ["b\u00e9.png"])
    assert groups.of_image == {"b\u00e9.png": "A"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\nc.png\n", "expected the columns image, group or patient"),
        ("image,patient,group\nc.png,1,A\n", "found image, patient, group"),
        ("", "found none"),
        ("image,group\nc.png,\n", "line 2: expected a value in image and group"),
        ("image,group\nc.png,A\nc.png,A\n", "line 3: the image c.png has two rows"),
        ("image,group\na.png,A\n", "2 images have the file name a.png, such as site/p1/s1/a.png"),
        ("study,group\np1,A\ns1,B\n", "site/p1/s1/a.png is in the group B and also in A"),
        ("image,group\nx.png,A\n", "found none that is in this run; the images are such as c.png"),
    ],
)
def test_wrong_tables_are_refused(table, text, message):
    with pytest.raises(UsageError, match="--group ") as caught:
        read_groups(table(text), IMAGES)
    assert message in str(caught.value)


def test_missing_table_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_groups(tmp_path / "none.csv", IMAGES)
