from pathlib import Path

import pytest

from usmicro.model.warnings import EXPLANATIONS, ScanWarning, WarningCode, separated

PAGE = Path(__file__).parents[2] / "docs" / "warnings.md"


@pytest.mark.parametrize("code", WarningCode)
def test_the_documentation_explains_every_code(code):
    explanation = EXPLANATIONS[code]
    row = f"| `{code}` | {explanation.title} | {explanation.advice} |"
    assert row in PAGE.read_text(encoding="utf-8").splitlines()


def test_no_other_codes_are_explained():
    assert set(EXPLANATIONS) == set(WarningCode)


def test_remarks_are_separated_and_each_is_kept_once():
    warning = ScanWarning(WarningCode.DEEP_FIELD, "9 cm")
    assert separated(["a", warning, "b", "a", warning]) == (("a", "b"), (warning,))


@pytest.mark.parametrize(
    ("text", "shown"), [("9 cm", ": 9 cm. Leave"), ("is it in cm?", ": is it in cm? Leave")]
)
def test_text_of_a_warning_ends_as_a_sentence(text, shown):
    assert shown in EXPLANATIONS[WarningCode.DEEP_FIELD].about(text)
