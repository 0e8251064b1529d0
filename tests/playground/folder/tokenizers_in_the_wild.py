"""Small tokenizers of every kind that people's models have, each trained on a few sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
SENTENCES = [
    "Once upon a time there was a little red fox. It didn't like the rain, so it ran home!",
    "One day, Lily found a tiny door in the tree; behind it was a garden.",
    "The dog and the cat were friends because they both liked the moon.",
    "  two  spaces, a\ttab\n\nand two lines.",
]
BYTES = [f"<0x{number:02X}>" for number in range(256)]


def byte_level(*, prefix: bool = False) -> Tokenizer:
    """GPT-2's kind; with `prefix` RoBERTa's, which writes a space before every text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=320, initial_alphabet=alphabet, special_tokens=[END], show_progress=False
        ),
    )
    return made


def byte_level_with_added() -> Tokenizer:
    """Pythia's: runs of spaces and a word were added later."""
    made = byte_level()
    made.add_tokens(["  ", "    ", "fôx", "\u0120moon"])
    return made


def byte_level_split() -> Tokenizer:
    """Llama 3's: a pattern splits before the bytes are written as letters."""
    made = byte_level()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(r"\s+(?!\S)|\s+|[^\s]+", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return made


def sentencepiece(*, prefix: bool) -> Tokenizer:
    """Llama 2's, with a space before every text, or Gemma's without; `<0xF0>` is a byte."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    steps: list[Any] = [normalizers.Prepend("▁")] if prefix else []
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    undo: list[Any] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*undo, decoders.Strip(" ", 1, 0)] if prefix else undo)
    made.train_from_iterator(
        [f" {word}" for line in SENTENCES for word in line.split()],
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=["<unk>", END, *BYTES], show_progress=False
        ),
    )
    return plain_bytes(made)


def plain_bytes(made: Tokenizer) -> Tokenizer:
    """The same, with the byte tokens as plain ones: the trainer knows only special ones."""
    content = json_of(made)
    content["added_tokens"] = [
        one for one in content["added_tokens"] if one["content"] not in BYTES
    ]
    return tokenizer_of(content)


def unigram() -> Tokenizer:
    """T5's kind."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.train_from_iterator(
        SENTENCES,
        trainers.UnigramTrainer(
            vocab_size=120, unk_token="<unk>", special_tokens=["<unk>", END], show_progress=False
        ),
    )
    return made


def wordpiece() -> Tokenizer:
    """BERT's kind."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.train_from_iterator(
        SENTENCES,
        trainers.WordPieceTrainer(
            vocab_size=150, special_tokens=["[UNK]", END], show_progress=False
        ),
    )
    return made


def whole_words() -> Tokenizer:
    """A word a token, with spaces put between them."""
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(
        SENTENCES, trainers.WordLevelTrainer(special_tokens=["[UNK]", END], show_progress=False)
    )
    return made


def word_ends() -> Tokenizer:
    """The first GPT's: `</w>` ends a word."""
    made = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.BPEDecoder(suffix="</w>")
    made.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=200, special_tokens=["<unk>", END], end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )  # fmt: skip
    return made


def letters() -> Tokenizer:
    """A letter a token, as tutorials train them; they are put together without spaces."""
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    made.train_from_iterator(
        SENTENCES, trainers.WordLevelTrainer(special_tokens=["[UNK]", END], show_progress=False)
    )
    return made


def json_of(made: Tokenizer) -> dict[str, Any]:
    import json

    content: dict[str, Any] = json.loads(made.to_str())
    return content


def tokenizer_of(content: dict[str, Any]) -> Tokenizer:
    import json

    return Tokenizer.from_str(json.dumps(content))


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": byte_level,
    "byte-level, a space before": lambda: byte_level(prefix=True),
    "byte-level, tokens added": byte_level_with_added,
    "byte-level, split by a pattern": byte_level_split,
    "SentencePiece, a space before": lambda: sentencepiece(prefix=True),
    "SentencePiece": lambda: sentencepiece(prefix=False),
    "Unigram": unigram,
    "WordPiece": wordpiece,
    "words": whole_words,
    "word ends": word_ends,
    "letters": letters,
}


def stored(made: Tokenizer, **names: str) -> Any:
    """As transformers opens it; `names` are special tokens, such as bos_token."""
    names = names or {"bos_token": END, "eos_token": END}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)
