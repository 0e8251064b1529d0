"""What follows from the table of settings is up to date."""

import pytest

from playground.settings_table import FILES, ROOT


@pytest.mark.parametrize("name", FILES)
def test_what_follows_from_the_table_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name]()
