"""Experiments: a question, the cluster that it needs, and a table for an answer."""

from __future__ import annotations

from kdp.experiments.scaling import ScalingResult, ScalingRow, scaling

__all__ = ["ScalingResult", "ScalingRow", "scaling"]
