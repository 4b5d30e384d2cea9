"""Evaluation: the results of a run against labels of one's own, with confidence intervals."""

from usmicro.evaluation.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
