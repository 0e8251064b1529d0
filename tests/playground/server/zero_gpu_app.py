"""app.py as on a Space with ZeroGPU, run by test_zero_gpu.py: `spaces` with its own emulation, but
for what needs a card. `spaces` wants PyTorch built for CUDA, and here is the build for the CPU: it
is given the three names that it looks up while it loads."""

import torch


def nothing(*_: object, **__: object) -> None:
    """Stands for what needs the card: finding it in the forked process, moving tensors there."""


torch.version.cuda = "12.8"
torch._C._cuda_init = nothing
torch.cuda._is_in_bad_fork = nothing

import spaces  # noqa: E402
from spaces.zero import wrappers  # noqa: E402

import app  # noqa: E402

wrappers.torch.init = wrappers.torch.move = nothing
assert spaces.GPU
app.main()
