import pytest

from usmicro.cli import main
from usmicro.errors import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "no such file or directory"),
        (ValueError("two\n lines"), "two lines"),
        (ValueError(), "ValueError"),
    ],
)
def test_reason_has_no_numbers_of_errors(error, reason):
    assert reason_of(error) == reason


@pytest.mark.parametrize("option", ["--spacing=gone.csv", "--settings=gone.toml"])
def test_missing_file_of_an_option_is_named_in_words(option, sample_data, tmp_path, capsys):
    assert main(["run", str(sample_data), "--out", str(tmp_path / "r"), option]) == 2
    message = capsys.readouterr().err
    assert "no such file or directory" in message
    assert "Errno" not in message
