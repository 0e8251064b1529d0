"""A story as text, as Markdown, and as its record."""

from __future__ import annotations

import json
import re

from playground.stories.shared_story import SharedStory
from playground.stories.story import Story

MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+.!|~^&$=:-])")  # what Markdown could take for its own


def text_file(story: SharedStory) -> str:
    """Plain text: title, who wrote it, the story, how and where it was written."""
    parts = [story.title, story.byline, "", story.text, "", f"{story.model}: {story.settings}"]
    return "\n".join([*parts, *([story.link] if story.link else [])]) + "\n"


def markdown_file(story: SharedStory) -> str:
    """The same as Markdown; the story's own signs stay what they are."""
    paragraphs = "\n\n".join(map(escaped, story.paragraphs))
    last = escaped(f"{story.model}: {story.settings}")
    link = f" [Open it]({story.link})" if story.link else ""
    return (
        f"# {escaped(story.title)}\n\n*{escaped(story.byline)}*\n\n{paragraphs}\n\n"
        f"---\n\n{last}.{link}\n"
    )


def record_file(story: SharedStory, record: Story) -> str:
    """The record as JSON (docs/formats.md), with the title, the author and the link."""
    named = {"title": story.title, "author": story.author, "link": story.link}
    return json.dumps(record.to_values() | named, ensure_ascii=False, indent=1) + "\n"


def escaped(text: str) -> str:
    """A line of text in Markdown."""
    return MARKUP.sub(r"\\\1", text)
