"""The component by itself: whatever a keyboard, a phone, dictation or a tool writes is the text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.actions import button, on_both_screens, requests, set_field, sheet, text

FAMILY, FLAG = "👨‍👩‍👧", "🇩🇪"
# The story's text is a state of the page's model and of what is shown: both must agree.
STATE = "[writer.editor.text, writer.state.tokens.map(token => token.t).join('')]"


@pytest.fixture
def cdp(page: Page) -> Iterator[CDPSession]:
    session = page.context.new_cdp_session(page)
    yield session
    session.detach()


def story_text(page: Page) -> str:
    """Return the story's text, which is the same wherever it is kept."""
    shown = text(page)
    assert page.evaluate(STATE) == [shown, shown]
    return shown


def start(page: Page, opening: str, caret: int | None = None) -> None:
    """Begin with a text, its tokens known, and the caret at a place in it."""
    page.evaluate("text => writer.begin(text)", opening)
    page.wait_for_function("writer.state.tokens.every(token => token.i !== null)")
    page.evaluate("at => writer.editor.setCaret(at)", len16(opening) if caret is None else caret)


def len16(text: str) -> int:
    """The length of a text as a browser counts it."""
    return len(text.encode("utf-16-le")) // 2


def select(page: Page, start: int, end: int) -> None:
    page.evaluate("([start, end]) => writer.editor.select(start, end)", [start, end])


def compose(cdp: CDPSession, text: str) -> None:
    """Show a text under composition in the place of the one before."""
    length = len16(text)
    cdp.send(
        "Input.imeSetComposition", {"text": text, "selectionStart": length, "selectionEnd": length}
    )


PASTE = """([kind, text]) => {
  const data = new DataTransfer();
  data.setData('text/plain', text);
  const target = document.querySelector('.sheet');
  const range = getSelection().getRangeAt(0);
  target.dispatchEvent(Object.assign(
    new InputEvent('beforeinput', { inputType: kind, data: kind === 'insertText' ? text : null,
      dataTransfer: kind === 'insertText' ? null : data, bubbles: true, cancelable: true,
      targetRanges: [new StaticRange(range)] })));
}"""


def test_line_breaks_arrive_whatever_inserts_them(page: Page) -> None:
    start(page, "A fox.\nThe end", 6)
    page.keyboard.insert_text("One\nTwo")
    assert story_text(page) == "A fox.One\nTwo\nThe end"
    assert page.evaluate("writer.editor.caret()") == 13
    for kind in (
        "insertText",
        "insertFromPaste",
        "insertFromDrop",
        "insertReplacementText",
        "insertFromYank",
    ):
        start(page, "A fox.\nThe end", 6)
        select(page, 2, 7)
        page.evaluate(PASTE, [kind, "One\r\nTwo\rThree\u2028Four"])
        assert story_text(page) == "A One\nTwo\nThree\nFourThe end", kind
    for command in ("insertText", "insertHTML"):
        start(page, "A fox.\nThe end", 6)
        page.evaluate(f"document.execCommand('{command}', false, 'One\\nTwo\\n\\nThree')")
        expected = "One\nTwo\n\nThree"
        assert story_text(page) == f"A fox.{expected}\nThe end", command
        page.keyboard.type("!")
        assert story_text(page) == f"A fox.{expected}!\nThe end", command


def test_enter_breaks_a_line_and_deleting_joins_two(page: Page) -> None:
    start(page, "")
    page.keyboard.type("One")
    page.keyboard.press("Enter")
    assert story_text(page) == "One\n"
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    assert story_text(page) == "One\n\nTwo"
    expect(page.locator(".paragraph")).to_have_count(3)
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    assert story_text(page) == "OneTwo"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")
    assert story_text(page) == "OneTwo"
    for command, left in (("insertParagraph", "One\nTwo"), ("delete", "OneTwo")):
        page.evaluate(f"document.execCommand('{command}')")
        assert story_text(page) == left
    start(page, "One two\nthree\n\nfour")
    select(page, 4, 10)
    page.keyboard.type("T")
    assert story_text(page) == "One Tree\n\nfour"
    page.keyboard.press("Control+Backspace")
    assert story_text(page) == "One ree\n\nfour"
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    assert story_text(page) == ""
    page.keyboard.press("Backspace")
    page.keyboard.type("x")
    assert story_text(page) == "x"
    page.keyboard.press("Control+b")  # letters have no other form
    assert sheet(page).locator("b, strong, font, br").count() == 0


def test_what_is_copied_is_the_text(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    story = "Once  upon\n\n a “time”\nthere was 🦊\n"
    start(page, story)
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()") == story
    page.keyboard.press("Control+x")
    assert story_text(page) == ""
    page.keyboard.press("Control+v")
    page.keyboard.press("Control+v")
    assert story_text(page) == story * 2
    page.get_by_label("Show the odds").check()
    expect(sheet(page)).to_have_attribute("contenteditable", "false")
    select(page, 0, 13)
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()") == story[:13]


def test_a_selection_is_dragged_to_another_paragraph(page: Page) -> None:
    start(page, "One two\nthree\nfour")
    select(page, 4, 7)
    words = page.locator(".word")
    words.nth(1).drag_to(
        words.nth(5), source_position={"x": 20, "y": 12}, target_position={"x": 2, "y": 12}
    )
    assert story_text(page) == "One \nthree\ntwofour"
    button(page, "Undo").click()
    assert story_text(page) == "One two\nthree\nfour"


def test_nothing_interrupts_a_composition(page: Page, cdp: CDPSession) -> None:
    start(page, "Once\nTwo", 4)
    for letters in ("に", "にh", "にほ"):
        compose(cdp, letters)
        page.evaluate("writer.display.showTokens()")  # as when odds arrive
        assert text(page) == f"Once{letters}\nTwo"
    cdp.send("Input.insertText", {"text": "日本"})
    assert story_text(page) == "Once日本\nTwo"
    assert page.evaluate("writer.editor.caret()") == 6
    # Scores that come meanwhile wait until it is over.
    page.keyboard.type("x")
    compose(cdp, "ㅎ")
    page.wait_for_function("writer.state.tokens.every(token => token.i !== null)")
    compose(cdp, "한")
    cdp.send("Input.insertText", {"text": "한"})
    assert story_text(page) == "Once日本x한\nTwo"
    # A word that a phone writes anew, over two paragraphs, and one that is given up.
    page.evaluate("writer.edits.typedAt = null")  # Undo takes quick keys back together
    select(page, 2, 10)
    compose(cdp, "n")
    compose(cdp, "ne")
    cdp.send("Input.insertText", {"text": "ne"})
    assert story_text(page) == "Onnewo"
    compose(cdp, "x")
    compose(cdp, "")
    assert story_text(page) == "Onnewo"
    page.keyboard.press("Control+z")
    assert story_text(page) == "Once日本x한\nTwo"
    # A story that is asked for by a tap while a word is composed has the word.
    set_field(page, "length", 2)
    page.evaluate("writer.editor.setCaret(writer.editor.text.length)")
    compose(cdp, " fox")
    page.evaluate("document.querySelector('[data-part=generate]').click()")
    expect(button(page, "Continue")).to_be_visible()
    assert story_text(page).startswith("Once日本x한\nTwo fox ")


FOREIGN = """() => {
  for (const node of document.querySelectorAll('.sheet .tint')) {
    const font = document.createElement('font');
    font.append(document.createElement('font'));
    font.firstChild.textContent = 'Wort';
    node.replaceChildren(font);
  }
  getSelection().selectAllChildren(document.querySelector('.sheet'));
  getSelection().collapseToEnd();
}"""


def test_a_translation_is_not_the_story(page: Page, cdp: CDPSession) -> None:
    assert sheet(page).get_attribute("translate") == "no"
    story = "Once upon a time\nthere was a fox"
    start(page, story)
    for key, left in ((".", f"{story}."), ("Backspace", story), ("Enter", f"{story}\n")):
        page.evaluate(FOREIGN)
        assert "Wort" in text(page)
        page.keyboard.press(key)
        assert story_text(page) == left
    start(page, story)
    page.evaluate(FOREIGN)
    compose(cdp, "日")
    cdp.send("Input.insertText", {"text": "日"})
    assert story_text(page) == f"{story}日"
    page.evaluate(FOREIGN)
    page.evaluate("document.execCommand('insertText', false, 'x')")
    assert story_text(page) == f"{story}日"
    page.evaluate("document.querySelectorAll('.paragraph')[0].remove()")
    page.keyboard.type("!")
    assert story_text(page) == f"{story}日!"


def test_no_half_character_is_left(page: Page) -> None:
    for character in ("🦊", FAMILY, FLAG, "👍🏽", "“"):
        start(page, f"a{character}b", 1 + len16(character))
        page.keyboard.press("Backspace")
        assert story_text(page) == "ab"
        start(page, f"a{character}b", 1)
        page.keyboard.press("Delete")
        assert story_text(page) == "ab"
    # Tokens end within the character.
    parts = ["a", "👨", "\u200d👩", "\u200d👧", "b"]
    cut = """async (parts) => {
      const tree = await import('./web/story/tree.js');
      const tokens = parts.map((t, k) => ({ t, s: 1, i: k, r: 0 }));
      writer.edits.act(tree.withTokens(writer.state.now.doc, tokens));
    }"""
    for key, place in (("Backspace", 9), ("Delete", 1), ("Backspace", 3)):
        start(page, "")
        page.evaluate(cut, parts)
        page.evaluate("at => writer.editor.setCaret(at)", place)
        page.keyboard.press(key)
        assert story_text(page) == "ab"
    start(page, "Said “Mia")
    assert page.evaluate("writer.state.tokens.map(token => token.t)") == ["Said", " ", "“", "Mia"]
    page.evaluate("writer.editor.setCaret(6)")
    page.keyboard.press("Backspace")
    assert story_text(page) == "Said Mia"
    start(page, "Said “")
    page.keyboard.press("Backspace")
    assert page.evaluate("writer.state.tokens.map(token => [token.t, token.i])")[-1] == [" ", None]


def test_paragraphs_are_selected_and_walked_through(page: Page) -> None:
    story = "One two\n\nthree four\nكان يا ما\n"
    start(page, story, 0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert page.evaluate("writer.editor.caret()") == 19
    page.keyboard.press("Home")
    assert page.evaluate("writer.editor.caret()") == 9
    page.keyboard.press("ArrowLeft")  # the empty paragraph
    page.keyboard.press("Shift+Control+Home")
    assert page.evaluate("writer.editor.selection()") == {"anchor": 8, "focus": 0}
    page.evaluate("writer.display.showTokens()")
    assert page.evaluate("writer.editor.selection()") == {"anchor": 8, "focus": 0}
    page.get_by_text("three", exact=True).click(click_count=3)
    page.keyboard.type("X")
    assert story_text(page) == "One two\n\nX\nكان يا ما\n"
    page.keyboard.press("Control+Home")
    button(page, "Undo").click()
    sheet(page).focus()
    assert story_text(page) == story
    page.keyboard.press("Control+End")
    page.keyboard.type("end")
    assert story_text(page) == f"{story}end"
    page.keyboard.press("Control+z")
    assert page.evaluate("writer.editor.caret()") == len(story)
    # While words are looked at, an arrow follows their direction, and a selection is not a click.
    page.get_by_label("Show the odds").check()
    page.evaluate(
        "writer.editor.go(writer.state.tokens.findIndex(token => token.t.includes('كان')))"
    )
    at = page.evaluate("writer.editor.focused")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("writer.editor.focused") == at + 1
    page.keyboard.press("Escape")
    one, four = (page.get_by_text(word, exact=True).bounding_box() for word in ("One", "four"))
    assert one and four
    page.mouse.move(one["x"] + 1, one["y"] + 9)
    page.mouse.down()
    page.mouse.move(four["x"] + four["width"], four["y"] + 9, steps=4)
    page.mouse.up()
    assert page.evaluate("writer.editor.selection()") == {"anchor": 0, "focus": 19}
    expect(page.locator(".card .bars button:focus")).to_have_count(0)


CHANGED = """() => {
  window.changed = new Set();
  const watched = { childList: true, characterData: true, subtree: true };
  new MutationObserver((records) => {
    for (const { target, addedNodes, removedNodes } of records) {
      for (const node of [target, ...addedNodes, ...removedNodes]) changed.add(node);
    }
  }).observe(writer.editor.element, watched);
}"""


# The letter before the caret is above the actions.
IN_SIGHT = """() => {
  const [node, offset] = writer.editor.pointAt(writer.editor.caret());
  const range = document.createRange();
  range.setStart(node, offset - 1);
  range.setEnd(node, offset);
  const { top, bottom } = range.getBoundingClientRect();
  return top >= 0 && bottom <= document.querySelector('.actions').getBoundingClientRect().top;
}"""


@on_both_screens
def test_a_key_changes_one_paragraph(page: Page) -> None:
    """How long that takes with 5,000 words is measured in benchmarks/page.py."""
    start(page, "\n".join([" ".join(["word"] * 20)] * 40))
    page.evaluate(CHANGED)
    for place in (0, 2010, len(story_text(page))):
        page.evaluate(
            "at => { writer.editor.setCaret(at); changed.clear(); scrollTo(0, 0) }", place
        )
        page.keyboard.type("x")
        assert page.evaluate(IN_SIGHT)
        page.keyboard.press("Backspace")
        blocks = page.evaluate(
            "new Set([...changed].map(node => node.closest?.('.paragraph')).filter(Boolean)).size"
        )
        assert blocks == 1
        assert page.evaluate("changed.size") < 20


def test_an_edit_at_the_beginning_is_scored_first(page: Page) -> None:
    story = " ".join(["word"] * 2_000)
    start(page, story, 4)
    page.evaluate("source.asked.length = 0")
    page.keyboard.type("s")
    page.wait_for_function("writer.state.tokens.every(token => token.i !== null)")
    assert story_text(page) == f"words{story[4:]}"
    parts = [request["text"] for request in requests(page, "score")]
    assert parts[0].startswith("words word") and len(parts[0]) < 500
    assert len(parts) == 4 and "".join(parts) == f"words{story[4:]}"
