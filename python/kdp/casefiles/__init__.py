"""Case files: what the real thing did, run through kdp and compared (docs/case-files.md).

``find_cases`` recognises files by their content; a case runs itself and says what differs.
"""

from kdp.casefiles.case import Case
from kdp.casefiles.find import find_cases

__all__ = ["Case", "find_cases"]
