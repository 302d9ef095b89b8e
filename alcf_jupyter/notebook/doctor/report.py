"""What the doctor found, to read, to paste into a question, or for a program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from alcf_jupyter._version import __version__
from alcf_jupyter.plain import brief, escape

if TYPE_CHECKING:
    from alcf_jupyter.notebook.doctor.finding import Finding

_WIDEST = 300
_LONGEST_LINE = 4000
"""Of what is to be typed, which must not be cut: a list of hosts beside a proxy may be long."""


@dataclass(frozen=True)
class Report:
    """Findings, and what they rest on.

    Attributes
    ----------
    findings
        In the order in which they were looked for.
    details
        Tables of names and values, by their title.
    """

    findings: tuple[Finding, ...]
    details: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What hinders."""
        return tuple(finding for finding in self.findings if finding.level == "problem")

    def __str__(self) -> str:
        lines = [f"alcf-jupyter {__version__}: {self._verdict()}", ""]
        for finding in self.findings:
            lines.append(_columns(finding.level, finding.about, finding.says))
            if finding.do:
                lines.append(_columns("", "", f"→ {finding.do}", _LONGEST_LINE))
        for title, rows in self.details.items():
            shown = [(brief(name), brief(value, _WIDEST)) for name, value in rows]
            width = max(len(name) for name, _ in shown)
            lines += ["", title, *(f"  {name:<{width}}  {value}" for name, value in shown)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same as HTML, the details folded."""
        rows = "".join(map(_row, self.findings))
        details = "".join(
            f"<p><b>{escape(title)}</b></p><table>"
            + "".join(
                f"<tr><td>{escape(brief(name))}</td><td>{escape(brief(value, _WIDEST))}</td></tr>"
                for name, value in table
            )
            + "</table>"
            for title, table in self.details.items()
        )
        return (
            f"<p>alcf-jupyter {escape(__version__)}: {escape(self._verdict())}</p>"
            f"<table><tbody>{rows}</tbody></table>"
            f"<details><summary>Details</summary>{details}</details>"
        )

    def as_json(self) -> str:
        """Return the same for a program: ``version``, ``findings`` and ``details``."""
        told = {
            "version": __version__,
            "problems": len(self.problems),
            "findings": [asdict(finding) for finding in self.findings],
            "details": {title: dict(rows) for title, rows in self.details.items()},
        }
        return json.dumps(told, indent=2)

    def _verdict(self) -> str:
        count = len(self.problems)
        return f"{count} problem{'s' if count > 1 else ''}" if count else "no problem found"


def _columns(level: str, about: str, text: str, widest: int = _WIDEST) -> str:
    return f"{level:<8} {about:<11} {brief(text, widest)}".rstrip()


def _row(finding: Finding) -> str:
    do = f"<br><code>{escape(brief(finding.do, _LONGEST_LINE))}</code>" if finding.do else ""
    says = escape(brief(finding.says, _WIDEST))
    level = f"<b>{finding.level}</b>" if finding.level == "problem" else finding.level
    return (
        f"<tr><td>{level}</td><td>{escape(finding.about)}</td>"
        f'<td style="text-align: left">{says}{do}</td></tr>'
    )
