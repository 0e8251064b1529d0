"""Many stories at once on a ZeroGPU Space, where a GPU exists only inside a decorated function.

ZeroGPU runs such a function in a process that it forks from this one, lends that process a GPU for
the requested seconds, and may use the process again. Only the calling thread survives a fork: the
child lacks the thread of the parent's engine, and the weights are on the CPU. So the child opens
the model again, makes its own engine on the GPU, and keeps it for the next call. In this process,
where `spaces` answers as if there were a GPU, everything stays on the CPU (model/device.py).

The page's stories are not written there: a link must reproduce them exactly, and a visitor has few
seconds of GPU per day. Only many stories at once gain from a GPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace

from playground.engine.engine import Engine
from playground.sampling import Settings

SECONDS = 15  # of GPU per request: opening takes some three, 64 stories of 200 tokens few
POLL = 0.05  # seconds between two looks for more

Texts = Generator[list[str], None, None]
Write = Callable[[str, str, Settings, int], Texts]

_engines: dict[str, Engine] = {}  # of the forked process, by the model's folder


def available() -> bool:
    """Return whether this is a Space with ZeroGPU."""
    return "SPACES_ZERO_GPU" in os.environ


def on_gpu() -> Write:
    """Return `write_in_fork` as ZeroGPU runs it. To be called before the page is launched."""
    import spaces

    decorated: Write = spaces.GPU(duration=SECONDS)(write_in_fork)
    return decorated


def write_in_fork(folder: str, prompt: str, settings: Settings, count: int) -> Texts:
    """Run `write` in the forked process."""
    yield from write(engine_in_fork(folder), prompt, settings, count)


def write(engine: Engine, prompt: str, settings: Settings, count: int) -> Texts:
    """Write stories of one prompt, with the seed and those that follow it. Yield all texts so far,
    until they are done."""
    with ExitStack() as held:
        streams = [
            held.enter_context(
                engine.write(
                    prompt,
                    replace(settings, seed=seed % 2**32),
                    completes_word=True,
                    alternatives=0,
                )
            )
            for seed in range(settings.seed, settings.seed + count)
        ]
        while not all(stream.done for stream in streams):
            if any([stream.take() for stream in streams]):
                yield [max(prompt, stream.story.text, key=len) for stream in streams]
            time.sleep(POLL)
        yield [stream.story.text for stream in streams]


def engine_in_fork(folder: str) -> Engine:
    """Return the forked process's own engine."""
    if folder not in _engines:
        import torch

        from playground.folder.model_folder import ModelFolder

        os.environ.pop("SPACES_ZERO_GPU", None)  # here the GPU is real
        torch.set_num_threads(1)  # OpenMP's other threads stayed with the parent
        _engines[folder] = Engine(ModelFolder.open(folder))
    return _engines[folder]
