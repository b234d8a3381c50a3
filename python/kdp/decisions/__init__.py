"""What becomes of new connections, class by class: every source kind, frontend and node of a cluster.

A class stands for all flows that its rules cannot tell apart. ``flow_classes`` lists them, ``decide`` asks the rules
(``explore``), ``differences`` compares two clusters.
"""

from kdp.decisions.classes import FlowClass, flow_classes
from kdp.decisions.compare import Difference, differences
from kdp.decisions.decision import Decision, decide

__all__ = ["Decision", "Difference", "FlowClass", "decide", "differences", "flow_classes"]
