"""A vocabulary of one's own: learned from the stories or read from a file, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from trainer.corpus import build_store
from trainer.corpus.store.build import given_store
from trainer.corpus.store.data_card import card
from trainer.corpus.store.token_store import TokenStore, open_store
from trainer.corpus.tokenizer.tokenizer import GPT2, Tokenizer, gpt2, read_tokenizer
from trainer.settings.corpus import Corpus

from .conftest import story, write_jsonl

Settings = Callable[..., Corpus]
HINDI = [
    "एक जंगल में एक छोटा खरगोश रहता था। वह हर सुबह नदी के किनारे घास खाने जाता था। एक दिन उसने वहाँ एक"
    " कछुए को देखा। कछुआ उदास था। खरगोश ने पूछा, तुम उदास क्यों हो? कछुए ने कहा, मेरा घर बहुत दूर है।"
    " खरगोश ने कहा, चलो, हम साथ चलते हैं। दोनों साथ चले और शाम को घर पहुँचे। कछुआ बहुत खुश हुआ।",
    "मीना एक छोटी लड़की थी। उसके पास एक लाल पतंग थी। एक दिन तेज़ हवा चली और पतंग पेड़ पर अटक गई। मीना रोने"
    " लगी। तब एक चिड़िया आई और उसने पतंग को पेड़ से निकाल दिया। मीना ने चिड़िया को धन्यवाद कहा। उस दिन से"
    " मीना और चिड़िया दोस्त बन गए। वह हर सुबह चिड़िया को दाना खिलाती थी।",
    "एक दिन राजू अपनी माँ के साथ बाज़ार गया। बाज़ार में बहुत भीड़ थी। राजू ने एक छोटा कुत्ता देखा। कुत्ता"
    " भूखा था। राजू ने माँ से कहा, माँ, क्या हम इसे रोटी दे सकते हैं? माँ ने कहा, हाँ। राजू ने कुत्ते को रोटी"
    " खिलाई। कुत्ता खुश हुआ और राजू के साथ घर आया। राजू भी बहुत खुश हुआ।",
    "एक गाँव में एक बूढ़ा आदमी रहता था। उसके पास एक आम का पेड़ था। हर दिन बच्चे पेड़ के नीचे खेलने आते थे। एक"
    " दिन बूढ़े आदमी ने बच्चों को आम दिए। बच्चे बहुत खुश हुए। उन्होंने कहा, धन्यवाद, दादाजी! बूढ़ा आदमी"
    " मुस्कुराया और उसने बच्चों को एक कहानी सुनाई।",
]


@pytest.fixture
def store(tmp_path: Path, stories: list[str], settings: Settings) -> TokenStore:
    file = write_jsonl(tmp_path / "stories.jsonl", stories)
    return build_store(settings(file, tokenizer="train:400", validation_share=0.2))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    home = tmp_path_factory.mktemp("learned")
    file = write_jsonl(home / "stories.jsonl", map(story, range(200)))
    built = build_store(Corpus(source=str(file), folder=str(home), tokenizer="train:350"))
    return built.tokenizer


def test_the_same_stories_give_the_same_bytes(
    store: TokenStore, stories: list[str], settings: Settings, tmp_path: Path
) -> None:
    kept = list((tmp_path / "data").glob("stories-jsonl-*.tokenizer.json"))
    assert [file.read_bytes() for file in kept] == [store.tokenizer.content]
    shutil.rmtree(tmp_path / "data")
    chosen = settings(tmp_path / "stories.jsonl", tokenizer="train:400", validation_share=0.2)
    again = build_store(chosen)
    assert again.tokenizer.content == store.tokenizer.content
    assert again.fingerprint == store.fingerprint
    assert build_store(chosen).folder == again.folder


def test_the_store_holds_its_tokenizer_and_its_stories(
    store: TokenStore, stories: list[str]
) -> None:
    assert store.tokenizer.size == 400
    assert store.tokenizer.end_of_text == 399
    assert store.recipe["tokenizer"] == store.tokenizer.digest
    stored = [story for name in ("train", "validation") for story in store.stories(name)]
    assert sorted(stored) == sorted(stories)
    ids = store.split("train")
    assert np.count_nonzero(ids == 399) == store.num_stories("train")
    assert np.array_equal(store.id_counts("train"), np.bincount(ids, minlength=400))
    assert "Tokenizer: its own (byte-level BPE), 400 ids." in card(store)


def test_it_learns_from_training_stories_only(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    """A word that only a held-out story has gets no token of its own."""
    chosen = settings(
        write_jsonl(tmp_path / "stories.jsonl", stories),
        validation=str(write_jsonl(tmp_path / "apart.jsonl", ["Zyzzyva zyzzyva. " * 30])),
        tokenizer="train:400",
    )
    assert b"zyzzyva" not in b"|".join(build_store(chosen).tokenizer.token_bytes)


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@example('He said:  "We\'ll see"\r\n\n  <|endoftext|> किताब 📚 e\u0301 \u200d\t')
def test_every_text_comes_back(learned: Tokenizer, text: str) -> None:
    ids = learned.encode([text])
    assert ids[-1] == learned.end_of_text
    assert np.count_nonzero(ids == learned.end_of_text) == 1  # a mark inside is plain text
    assert learned.decode(ids) == text


def test_ids_are_those_of_transformers(learned: Tokenizer, stories: list[str]) -> None:
    theirs: Any = learned.stock()
    assert learned.encode(stories[:1]).tolist() == [*theirs(stories[0]).input_ids, 349]
    assert theirs.eos_token_id == learned.end_of_text == 349
    assert len(theirs) == learned.size == len(set(learned.token_bytes))


def test_hindi_takes_far_fewer_tokens_than_with_gpt_2(tmp_path: Path, settings: Settings) -> None:
    file = write_jsonl(tmp_path / "hindi.jsonl", [*HINDI, *HINDI])
    rules: dict[str, Any] = {"special": "keep", "english": False, "complete": False}
    rules |= {"duplicates": False, "validation_share": 0}
    words = 2 * sum(len(text.split()) for text in HINDI)
    tokens = [
        build_store(settings(file, tokenizer=name, **rules)).num_tokens("train")
        for name in ("gpt2", "train:560")
    ]
    assert tokens[0] > 6 * words
    assert tokens[1] < 2 * words


def test_a_file_gives_the_same_store_as_the_tokenizer_in_it(
    store: TokenStore, settings: Settings, tmp_path: Path
) -> None:
    for place in (store.folder / "tokenizer.json", store.folder):
        chosen = settings(tmp_path / "stories.jsonl", tokenizer=str(place), validation_share=0.2)
        assert build_store(chosen).folder == store.folder
    assert read_tokenizer(str(GPT2)) is gpt2()


def test_what_belongs_to_a_tokenizer_s_use_is_taken_out(learned: Tokenizer, tmp_path: Path) -> None:
    used = Library.from_buffer(learned.content)
    used.enable_truncation(5)
    used.enable_padding(length=9)
    described = json.loads(used.to_str())
    described["model"]["dropout"] = 0.5
    (tmp_path / "used.json").write_text(json.dumps(described))
    found = read_tokenizer(str(tmp_path / "used.json"))
    assert np.array_equal(found.encode([story(3)]), learned.encode([story(3)]))


def test_a_store_of_another_tokenizer_is_never_used(
    store: TokenStore, settings: Settings, tmp_path: Path
) -> None:
    for name in ("train:400", str(store.folder / "tokenizer.json")):
        given = settings(store.folder, tokenizer=name)
        assert given_store(given).fingerprint == store.fingerprint
    plain = build_store(settings(tmp_path / "stories.jsonl"))
    assert given_store(settings(plain.folder)).fingerprint == plain.fingerprint
    for found, wanted in ((store, "gpt2"), (store, "train:399"), (plain, "train:400")):
        with pytest.raises(ValueError, match="has another tokenizer .* give --corpus.tokenizer"):
            given_store(settings(found.folder, tokenizer=wanted))
    shutil.copy(store.folder / "tokenizer.json", plain.folder)
    (store.folder / "tokenizer.json").unlink()
    for folder in (store.folder, plain.folder):
        with pytest.raises(ValueError, match="are of another tokenizer than"):
            open_store(folder)


def test_few_stories_give_a_smaller_vocabulary(
    tmp_path: Path, stories: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_jsonl(tmp_path / "stories.jsonl", stories[:20])
    chosen = settings(file, tokenizer="train:4096")
    store = build_store(chosen)
    assert 257 < store.tokenizer.size < 4096
    sentence = f"the vocabulary has {store.tokenizer.size:,} ids: stories.jsonl gives no more"
    assert sentence in capsys.readouterr().err
    assert build_store(chosen).folder == store.folder and sentence in capsys.readouterr().err
    given = given_store(settings(store.folder, tokenizer="train:4096"))
    assert given.tokenizer.size == store.tokenizer.size
    exact = build_store(settings(file, tokenizer=f"train:{store.tokenizer.size}"))
    assert exact.tokenizer.digest == store.tokenizer.digest


@pytest.mark.parametrize("size", ["100", "257", "70000", "abc", "", "-300", "4096.5"])
def test_sizes_that_cannot_be(size: str) -> None:
    (found,) = Corpus(tokenizer=f"train:{size}").complaints()
    assert found.startswith("corpus.tokenizer train:N: N is 258") and size in found


def whole(**changes: Any) -> Any:
    """A change of a tokenizer.json."""
    return lambda described: described | changes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (whole(added_tokens=[]), "has no added token <|endoftext|>"),
        (whole(normalizer={"type": "Lowercase"}), "does not give a text back as it was"),
        (
            whole(pre_tokenizer=json.loads(
                pre_tokenizers.ByteLevel(add_prefix_space=True).__getstate__()
            )),
            "does not give a text back as it was",
        ),
        (whole(model={"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}), "is WordLevel"),
        (whole(model={"type": "Unigram", "vocab": [["a", 0]]}), "is not a tokenizer.json"),
        (whole(model=None), "is not a tokenizer.json"),
        (whole(pre_tokenizer={"type": "Abacus"}), "cannot be used"),
    ],
)  # fmt: skip
def test_files_that_are_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]],
    sentence: str,
    learned: Tokenizer,
    tmp_path: Path,
) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(change(json.loads(learned.content))))
    with pytest.raises(ValueError) as caught:
        read_tokenizer(str(file))
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"corpus.tokenizer {file} ")


def test_no_file_no_json_and_too_many_ids(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere cannot be read: give gpt2"):
        read_tokenizer("nowhere")
    (tmp_path / "merges.txt").write_text("#version: 0.2")
    with pytest.raises(ValueError, match=r"is not a tokenizer\.json of `tokenizers`"):
        read_tokenizer(str(tmp_path / "merges.txt"))
    large = Library(models.BPE())
    large.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    large.train_from_iterator([], trainers.BpeTrainer(initial_alphabet=alphabet))  # type: ignore[arg-type]
    large.add_special_tokens([f"<{number}>" for number in range(66_000)] + ["<|endoftext|>"])
    large.save(str(tmp_path / "large.json"))
    with pytest.raises(ValueError, match="has 66,257 ids, and a token store has room for 65,536"):
        read_tokenizer(str(tmp_path / "large.json"))
