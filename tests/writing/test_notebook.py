from dataclasses import replace
from html.parser import HTMLParser

from tests.helpers.finished_analysis import made_analysis
from usmicro.result import Table
from usmicro.writing.notebook import MOST_ROWS


def test_the_text_of_an_analysis_counts_its_findings():
    analysis = made_analysis()
    text = repr(analysis)
    assert analysis.scan.name in text
    assert f"{len(analysis.foci)} foci" in text
    assert "1 mass;" in text
    assert len(text.splitlines()) <= 4 + len(analysis.notes)


def test_the_html_of_an_analysis_has_its_overlay_and_tables():
    analysis = made_analysis()
    analysis = replace(analysis, scan=replace(analysis.scan, name="<script>x</script>.png"))
    page = analysis._repr_html_()
    assert "<script>" not in page
    assert page.count("data:image/png;base64,") == 1
    assert page.count("<tr>") == 2 + len(analysis.foci) + len(analysis.masses)
    assert "not for diagnosis" in page
    check_nesting(page)
    assert analysis._repr_png_().startswith(b"\x89PNG")


def test_the_html_of_a_table_has_its_first_rows_and_their_number():
    foci = Table(list(made_analysis().foci) * 40)
    page = foci._repr_html_()
    assert page.count("<tr>") == MOST_ROWS + 1
    assert f"of {len(foci)} rows" in page
    assert Table()._repr_html_() == "<p>No rows.</p>"


def check_nesting(page):
    """Check that tags are closed in the opposite order of their opening."""
    opened = []

    class Checked(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag != "img":
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    checked = Checked()
    checked.feed(page)
    assert not opened
