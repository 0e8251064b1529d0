"""Text, Markdown and the record: the words are there, and nothing in them is taken for markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from markdown_it import MarkdownIt

from playground.sampling import Settings
from playground.stories.files import markdown_file, record_file, text_file
from playground.stories.shared_story import SharedStory
from playground.stories.story import Story


def test_text_is_the_story_with_where_it_is_from(hostile: SharedStory) -> None:
    lines = text_file(hostile).splitlines()
    assert lines[0] == hostile.title
    assert lines[1] == "Lily <b> and tiny"
    assert hostile.text in text_file(hostile)
    assert lines[-2:] == ["tiny: temperature 0.8, top-k 40, top-p 0.9, seed 7", hostile.link]


def test_markdown_shows_the_storys_own_signs(hostile: SharedStory) -> None:
    shown = MarkdownIt("commonmark", {"html": True}).render(markdown_file(hostile))
    assert set(re.findall(r"<(\w+)", shown)) == {"h1", "p", "em", "hr", "a"}
    assert shown.count("<a ") == 1 and f'href="{hostile.link}"' in shown
    assert "*bold* [a](javascript:b)" in shown
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in shown


def test_the_record_is_read_again(hostile: SharedStory) -> None:
    record = Story("0" * 64, Settings(), "Once", (7454,), (), ended=False)
    text = record_file(replace(hostile, title="A “title”"), record)
    assert Story.from_json(text) == record
    assert json.loads(text)["title"] == "A “title”"
    assert json.loads(text)["link"] == hostile.link
