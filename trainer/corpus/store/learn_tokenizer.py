"""Learn a vocabulary from the stories: corpus.tokenizer train:N.

Byte-level BPE of the library `tokenizers`: the 256 bytes, then merges in the order in which they
were learned, then the token that ends a story. It learns from the cleaned training stories; of a
large source, from chunks evenly spread over it. The same stories give the same file, which is kept
beside the token stores.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator

from tqdm import tqdm

from trainer.corpus.read.sources import Source
from trainer.corpus.store.cleaning import Cleaner
from trainer.corpus.store.encoding import held_out, loose_hashes
from trainer.corpus.tokenizer.tokenizer import (
    BYTE_LEVEL,
    END_OF_TEXT_MARK,
    OWN_PRE_TOKENIZER,
    Tokenizer,
    end_of_text_token,
    json_bytes,
)
from trainer.settings.corpus import Corpus

VERSION = 1  # part of the fingerprint: raise it when the same stories give another file
MAX_BYTES = 128 * 2**20  # bytes of the source, at most
LEAST_COUNT = 2  # occurrences of a merged pair


def learn(settings: Corpus, source: Source, size: int) -> Tokenizer:
    """Learn a tokenizer of `size` ids from the stories of a source; of fewer ids if too
    few pairs occur twice."""
    import tokenizers
    from tokenizers import pre_tokenizers, trainers

    empty = tokenizers.Tokenizer(tokenizers.models.BPE())
    described = json.loads(empty.to_str()) | {
        "pre_tokenizer": OWN_PRE_TOKENIZER,
        "post_processor": BYTE_LEVEL | {"trim_offsets": False},
        "decoder": BYTE_LEVEL,
    }
    learned = tokenizers.Tokenizer.from_str(json.dumps(described))
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1,
        min_frequency=LEAST_COUNT,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learned.train_from_iterator(stories_to_learn_from(settings, source), trainer)
    described["model"] = json.loads(learned.to_str())["model"]
    end = len(described["model"]["vocab"])
    described["model"]["vocab"][END_OF_TEXT_MARK] = end
    described["added_tokens"] = [end_of_text_token(end)]
    return Tokenizer(json_bytes(described))


def stories_to_learn_from(settings: Corpus, source: Source) -> Iterator[str]:
    """Yield the cleaned stories of the training part; of a large source only every nth
    chunk."""
    cleaner, changed, num_bytes = Cleaner(settings), Counter[str](), 0
    every = max(1, source.size // MAX_BYTES)
    share = 0.0 if source.validation else settings.validation_share
    with tqdm(
        desc="learning the vocabulary",
        total=min(MAX_BYTES, source.size) or None,
        unit="B",
        unit_scale=True,
        leave=False,
    ) as bar:
        for chunk in itertools.islice(source.train(), 0, None, every):
            cleaned = (cleaner.clean(story, changed) for story in chunk.stories())
            stories = [story for story in cleaned if isinstance(story, str)]
            out = held_out(loose_hashes([story.encode() for story in stories]), share)
            yield from itertools.compress(stories, ~out)
            bar.update(chunk.size)
            num_bytes += chunk.size
            if num_bytes >= MAX_BYTES:
                return
