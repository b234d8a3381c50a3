"""Experiments: a question, the cluster that it needs, and a table for an answer."""

from __future__ import annotations

from kdp.experiments.churn import ChurnResult, churn
from kdp.experiments.scaling import ScalingResult, ScalingRow, scaling
from kdp.experiments.traffic import Traffic

__all__ = ["ChurnResult", "ScalingResult", "ScalingRow", "Traffic", "churn", "scaling"]
