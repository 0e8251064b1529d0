"""Train with the trainer of another tree, started by test_recipes.py.

    recipe_worker.py TREE HOME JSON-COMMANDS

The trainer that was imported before the fork is forgotten; PyTorch and other libraries stay.
"""

import importlib
import json
import os
import sys
from pathlib import Path

tree, home, commands = sys.argv[1:]
for name in [name for name in sys.modules if name.partition(".")[0] == "trainer"]:
    del sys.modules[name]
sys.path.insert(0, tree)
os.chdir(home)
train = importlib.import_module("trainer.train")
assert Path(train.__file__ or "").is_relative_to(tree)
for words in json.loads(commands):
    assert train.main(words) == 0
