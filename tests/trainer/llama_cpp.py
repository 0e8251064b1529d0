"""What llama.cpp makes of a GGUF file, in a process of its own: it writes to the terminal."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, prompt = sys.argv[1:]
params.n_ctx, params.n_parallel, params.warmup = 128, 1, False
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
server = xllamacpp.Server(params)
request = {"prompt": prompt, "n_predict": 60, "temperature": 0, "ignore_eos": True}
answer = server.handle_completions(request)
print(json.dumps([answer["usage"]["prompt_tokens"], answer["choices"][0]["text"]]))
"""


def continued_by_llama_cpp(file: Path, prompt: str) -> tuple[int, str]:
    """How many tokens the prompt has, and the text of the 60 likeliest after it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), prompt],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    num_ids, text = json.loads(done.stdout.splitlines()[-1])
    return num_ids, text
