"""Evaluation of the results of a run against labels of the user, with confidence intervals."""

from usmicro.evaluation.evaluate import evaluate
from usmicro.evaluation.result import Evaluation

__all__ = ["Evaluation", "evaluate"]
