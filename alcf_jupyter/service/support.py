"""Whom to ask for what the service cannot be asked for itself."""

from __future__ import annotations

SUPPORT = "support@alcf.anl.gov"
"""ALCF's public help address."""

SUBJECTS = {
    "new_models": "a model that is not served yet",
    "extended_runtimes": "a model that stays up longer than its 24 hours",
    "reservations": "nodes reserved for a campaign or a class",
    "private_deployments": "a model of your own, or for your group alone",
    "batches": "cancelling a batch, more batches at once",
    "support": "access, failures with an error id, anything else",
}
"""What people write about, by the name a site may set another address for."""


def contacts(told: dict[str, str]) -> dict[str, str]:
    """Return the address for each subject.

    Parameters
    ----------
    told
        Addresses that a site sets; ``support`` stands for every subject without one of its own.
    """
    usual = told.get("support", SUPPORT)
    return {subject: told.get(subject, usual) for subject in SUBJECTS}
