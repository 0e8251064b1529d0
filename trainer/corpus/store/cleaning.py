"""Clean a raw story, or name the reason to drop it: one small function per rule.

`RULES` is the table of rules: the cleaner, the counts in store.json and the data card follow from
it. Rewriting rules change a text, dropping rules refuse it. `Cleaner` applies the rules of some
settings: the rewriting rules in turn, repeatedly until none changes the text (mending may uncover
an entity, an entity may hide a tag), then the dropping rules. So a clean story does not change.

Nearly every story is plain ASCII without such faults: `in_order` detects this with a few searches
at memory speed, and skips the rewriting rules. Each rule begins with a similar search. No rule
depends on Python's Unicode version: letters and spaces are listed here.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trainer.corpus.store.closings import FIRST, is_closed
from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK
from trainer.settings.corpus import Corpus

# Part of the fingerprint: raise it when a rule's result changes. The first version of `cut_off`
# knew Latin marks only (closings.py); a store that differs by this has another recipe (merge.py).
VERSION = 1
ROUNDS = 8  # of rewriting; a text that still changes is dropped

# Mojibake: UTF-8 read as Windows-1252, as in some of TinyStories. There the closing quote lacks its
# third byte (0x9D is undefined in Windows-1252); with this byte ftfy mends it. Quotes and dashes
# alone are not mojibake: in none of ftfy's encodings are they UTF-8.
COULD_BE_MOJIBAKE = re.compile("[^\x00-\x7f“”‘’–—…]")
LOST_QUOTE = re.compile("â€(?![\x80-\xbfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™])")
TAG = re.compile(r"<(?:!--.*?-->|!?/?[a-zA-Z][^<>]*>)", re.DOTALL)
BREAKING_TAG = re.compile(r"<(?:/?p|/?div|br|/?h[1-6]|/?li)\b[^<>]*>", re.IGNORECASE)

CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff0-\uffff\ud800-\udfff]"
)
PLAIN = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″〝〞＂", '"'),
        **dict.fromkeys("‘’‚‛′´`‹›＇", "'"),
        **dict.fromkeys("‐‑‒−﹣－", "-"),
        **dict.fromkeys("–—―", " - "),
        "…": "...",
        **dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n"),
        **dict.fromkeys("\t\xa0\u1680\u202f\u205f\u3000", " "),
        **{chr(code): " " for code in range(0x2000, 0x200B)},
    }
)
NOT_REPLACED = bytes(code for code in range(128) if chr(code) not in "`\r\v\f\t")
SPACES = re.compile(" {2,}")
LINE_BREAKS = re.compile(" *\n[ \n]*")

ORDINARY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \n.,!?;:'\"-()"
ORDINARY_BYTES = ORDINARY.encode()
ACCENTED = "".join(chr(code) for code in range(0xC0, 0x180) if code not in (0xD7, 0xF7, 0x130))
SPECIAL = re.compile(f"[^{re.escape(ORDINARY + ACCENTED)}]+")

COMMON = "the", "and", "a", "to", "was", "he", "she", "it", "in", "of", "they", "is", "you", "with"
COMMON_WORDS = tuple(f" {word} " for word in COMMON)
CLOSED_LATER = "closed_later"  # counts stories that the first `cut_off` dropped


@dataclass(frozen=True)
class Dropped:
    """The reason to drop a story: the name of the rule, and the characters that it rejects."""

    reason: str
    detail: str = ""


def mojibake(text: str) -> str:
    """Return a text with characters that were decoded wrongly mended (ftfy)."""
    if text.isascii() or not COULD_BE_MOJIBAKE.search(text):
        return text
    import ftfy

    return str(ftfy.fix_encoding(LOST_QUOTE.sub("â€\x9d", text)))


def markup(text: str) -> str:
    """Return a text without tags and end-of-text marks, with HTML entities unescaped."""
    if "<" in text:
        text = TAG.sub("", BREAKING_TAG.sub("\n", text.replace(END_OF_TEXT_MARK, " ")))
    return html.unescape(text) if "&" in text else text


def control(text: str) -> str:
    """Return a text without invisible characters: controls, lone surrogates, zero-width marks."""
    return CONTROL.sub("", text)


def typography(text: str) -> str:
    """Return a text with plain quotes, dashes and spaces, and one line break per paragraph."""
    if not text.isascii() or text.encode().translate(None, NOT_REPLACED) != b"":
        text = text.replace("\r\n", "\n").translate(PLAIN)
    if "  " in text:
        text = SPACES.sub(" ", text)
    if " \n" in text or "\n " in text or "\n\n" in text:
        text = LINE_BREAKS.sub("\n", text)
    return text.strip(" \n")


def special(text: str) -> str:
    """Return a text with Latin letters, digits and the punctuation of prose only."""
    return SPECIAL.sub("", text) if has_special(text) else text


def has_special(text: str) -> bool:
    """Return whether `special` would change a text."""
    if text.isascii():
        return text.encode().translate(None, ORDINARY_BYTES) != b""
    return SPECIAL.search(text) is not None


def in_order(text: str) -> bool:
    """Return whether a text has only ordinary ASCII, single spaces and line breaks, none at its
    ends, so that none of the rules above changes it."""
    return (
        text.isascii()
        and not has_special(text)
        and "  " not in text
        and " \n" not in text
        and "\n " not in text
        and "\n\n" not in text
        and text[:1] not in (" ", "\n")
        and text[-1:] not in (" ", "\n")
    )


def lower_case(text: str) -> str:
    """Return a text in lower case."""
    return text.lower()


def empty(text: str) -> bool:
    """Return whether a text has only spaces."""
    return not text.strip()


def foreign(text: str) -> bool:
    """Return whether a text is not English: more than one character in ten is outside ASCII, or, of
    more than 20 words, fewer than one in twenty is a common English word."""
    if not text.isascii() and 10 * len(text.encode("ascii", "ignore")) < 9 * len(text):
        return True
    num_words = text.count(" ") + text.count("\n") + 1
    if num_words <= 20:
        return False
    wanted = num_words // 20
    for word in COMMON_WORDS:
        wanted -= text.count(word)
        if wanted <= 0:
            return False
    return True


def cut_off(text: str) -> bool:
    """Return whether a text ends without closing punctuation, a quotation mark or an emoji."""
    return not is_closed(text.rstrip())


def end_mark(text: str) -> str:
    """Return a text without end-of-text marks, which would end the story there."""
    return text.replace(END_OF_TEXT_MARK, " ")


def half_characters(text: str) -> str:
    """Return a text without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes:
        name: as store.json counts it.
        meaning: its effect, for the data card.
        wanted: returns whether some settings enable it.
        rewrite: returns the changed text; None for a rule that drops.
        drop: returns whether a text is dropped. Rules with neither drop by length (encoding.py),
            by other stories (merge.py), or if rewriting does not end.
        keep: the setting of the corpus that keeps the stories, with its value.
        changes_plain_text: whether it may change a text of which `in_order` is true.
        cuts: whether it shortens a text after tokenization (encoding.py).
    """

    name: str
    meaning: str
    wanted: Callable[[Corpus], bool]
    rewrite: Callable[[str], str] | None = None
    drop: Callable[[str], bool] | None = None
    changes_plain_text: bool = False
    cuts: bool = False
    keep: str = ""


RULES = (
    Rule("mojibake", "letters that were decoded wrongly, mended", lambda s: s.mojibake, mojibake),
    Rule("markup", "HTML entities unescaped, tags taken out", lambda s: s.markup, markup),
    Rule("end_mark", "end-of-text marks, taken out", lambda s: not s.markup, end_mark),
    Rule("control", "invisible characters, taken out", lambda s: s.control, control),
    Rule("half_characters", "halves, replaced", lambda s: not s.control, half_characters),
    Rule(
        "typography",
        "quotes, dashes, spaces and paragraph breaks made plain",
        lambda s: s.typography,
        typography,
    ),
    Rule("special", "special characters taken out", lambda s: s.special == "strip", special),
    Rule(
        "lower_case",
        "put in lower case",
        lambda s: s.lower_case,
        lower_case,
        changes_plain_text=True,
    ),
    Rule("empty", "nothing but space", lambda _: True, drop=empty),
    Rule(
        "has_special",
        "special characters",
        lambda s: s.special == "drop",
        drop=has_special,
        keep="special keep",
    ),
    Rule("foreign", "not English", lambda s: s.english, drop=foreign, keep="english false"),
    Rule(
        "cut_off",
        "no closing punctuation",
        lambda s: s.complete,
        drop=cut_off,
        keep="complete false",
    ),
    Rule("tangled", "markup without end", lambda _: True, keep="markup false"),
    Rule(
        "shortened",
        "max_tokens tokens or more, cut after the last sentence that fits",
        lambda s: s.long_stories == "cut",
        cuts=True,
    ),
    Rule(
        "too_short", "fewer tokens than min_tokens", lambda s: s.min_tokens > 0, keep="min_tokens 0"
    ),
    Rule("too_long", "max_tokens tokens or more", lambda s: s.max_tokens > 0, keep="max_tokens 0"),
    Rule(
        "in_validation",
        "in the validation part, but for case and punctuation",
        lambda s: s.decontaminate,
        keep="decontaminate false",
    ),
    Rule(
        "duplicate",
        "duplicate of an earlier story, word for word",
        lambda s: s.duplicates,
        keep="duplicates false",
    ),
    Rule(
        "near_duplicate",
        "duplicate of an earlier story, nearly word for word",
        lambda s: s.near_duplicates > 0,
        keep="near_duplicates 0",
    ),
)
NOTABLE = 0.01  # share of stories; a note names each rule that drops more


def dropped_notes(dropped: Mapping[str, int], num_stories: int) -> list[str]:
    """Return a line for every rule that dropped more than one story in a hundred, with the setting
    that keeps these stories."""
    return [
        f"note: `{rule.name}` dropped {dropped[rule.name]:,} of {num_stories:,} stories"
        f" ({dropped[rule.name] / num_stories:.1%}): {rule.meaning}"
        + (f"; --corpus.{rule.keep} keeps them" if rule.keep else "")
        for rule in RULES
        if dropped.get(rule.name, 0) > NOTABLE * num_stories
    ]


def active_rules(settings: Corpus) -> tuple[list[str], list[str]]:
    """Return the names of the rules that may change a story, and of the rules that may drop it."""
    active = [rule for rule in RULES if rule.wanted(settings)]
    return (
        [rule.name for rule in active if rule.rewrite or rule.cuts],
        [rule.name for rule in active if not rule.rewrite and not rule.cuts],
    )


class Cleaner:
    """The rules that some settings enable."""

    def __init__(self, settings: Corpus) -> None:
        active = [rule for rule in RULES if rule.wanted(settings)]
        self.complete = settings.complete
        self.rewriting = [(rule.name, rule.rewrite) for rule in active if rule.rewrite]
        self.dropping = [(rule.name, rule.drop) for rule in active if rule.drop]
        self.on_plain_text = [
            (rule.name, rule.rewrite) for rule in active if rule.rewrite and rule.changes_plain_text
        ]

    def clean(self, text: str, changed: Counter[str]) -> str | Dropped:
        """Return the cleaned story, or the reason to drop it. `changed` counts the stories that
        each rewriting rule changed."""
        if not in_order(text):
            rewritten = self.rewrite(text, changed)
            if rewritten is None:
                return Dropped("tangled")
            text = rewritten
        else:
            for name, rewrite in self.on_plain_text:
                text, before = rewrite(text), text
                changed[name] += text != before
        for name, drop in self.dropping:
            if drop(text):
                match = SPECIAL.search(text) if drop is has_special else None
                return Dropped(name, match.group()[:20] if match else "")
        if self.complete and not text.rstrip().endswith(FIRST):
            changed[CLOSED_LATER] += 1
        return text

    def rewrite(self, text: str, changed: Counter[str]) -> str | None:
        """Return the text after repeated rewriting, when no rule changes it; None if this takes
        more than ROUNDS."""
        used: set[str] = set()
        for _ in range(ROUNDS):
            before = text
            for name, rewrite in self.rewriting:
                after = rewrite(text)
                if after != text:
                    used.add(name)
                    text = after
            if text == before or in_order(text):
                changed.update(used)
                return text
        return None
