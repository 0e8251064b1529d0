"""Compile DeepSpeed's part for the CPU into TORCH_EXTENSIONS_DIR; a process of its own, started by
tests/compile_caches.py."""

from deepspeed.comm.torch import build_shm_op

from trainer.distributed.launcher_env import prepare_environment_for_deepspeed

prepare_environment_for_deepspeed()  # ninja
build_shm_op()
