"""Ask whether a locked dependency has a known vulnerability, and say loudly what was not asked.

``python -m tools.audit`` prints its findings. It fails for a vulnerability, never because the
advisory service cannot be reached: pip-audit itself says "none found" when it could ask nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


def verdict(report: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the lines to print, and whether no vulnerability was found.

    Parameters
    ----------
    report
        What ``pip-audit --format json`` printed.
    """
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {flaw['id']}"
        f", mended in {', '.join(flaw.get('fix_versions') or ['no version yet'])}"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    sound = not lines
    if skipped:
        lines.append(f"NOT AUDITED: {len(skipped)} of {len(packages)} packages")
        lines.append(f"  for example: {skipped[0]['skip_reason']}")
    if asked := len(packages) - len(skipped):
        found = "no vulnerability known" if sound else "SEE ABOVE"
        lines.append(f"audited: {asked} packages, {found}")
    return lines, sound


def main() -> int:
    """Audit the locked environment; return 1 for a vulnerability, otherwise 0."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(REQUIREMENTS / "test.txt")]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        lines, sound = verdict(json.loads(done.stdout))
    except ValueError:
        said = done.stderr.strip().splitlines() or ["It said nothing."]
        lines, sound = [f"NOT AUDITED: no answer from the advisory service.\n  {said[-1]}"], True
    print("\n".join(lines))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
