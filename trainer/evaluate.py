"""Judges an export, or any causal language model folder that transformers opens.

    python -m trainer.evaluate MODEL --stories FILE [--json]

Says how well the model predicts the stories of a file (see evaluation/likelihood.py for what is counted)
and, with --generate N, what its own continuations of N of them are like. Stories are judged as they
stand. A model that was trained on lower case has to be judged on it: --lower-case does that, and the
figures are then those of another, easier text.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, NoReturn

import torch
import transformers

from trainer.evaluation.continuations import continue_stories, judge_prose
from trainer.evaluation.likelihood import Evaluation, evaluate
from trainer.evaluation.opening import open_model

__all__ = ["Evaluation", "evaluate", "main", "open_model"]
