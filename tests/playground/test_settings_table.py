"""The page's copy of the table of settings is up to date."""

from playground.settings_table import FILE, settings_js


def test_the_copy_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == settings_js()
