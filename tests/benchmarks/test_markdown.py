import pytest

from benchmarks.markdown import replace_generated_part, table
from usmicro.errors import UsageError


def test_the_columns_of_a_table_are_aligned():
    text = table(("name", "n"), [("a", "1"), ("longer", "20")])
    assert text.splitlines() == [
        "| name   | n  |",
        "|--------|----|",
        "| a      | 1  |",
        "| longer | 20 |",
    ]


def test_only_the_text_between_the_markers_is_replaced(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- begin -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):
        replace_generated_part(document, "<!-- begin -->", "<!-- end -->", "new")
        expected = "before\n<!-- begin -->\n\nnew\n\n<!-- end -->\nafter\n"
        assert document.read_text() == expected


@pytest.mark.parametrize("content", [None, "nothing", "<!-- begin -->"])
def test_an_error_is_raised_without_the_markers(tmp_path, content):
    document = tmp_path / "page.md"
    if content is not None:
        document.write_text(content)
    with pytest.raises(UsageError, match=r"page\.md: expected the lines <!-- begin -->"):
        replace_generated_part(document, "<!-- begin -->", "<!-- end -->", "new")
