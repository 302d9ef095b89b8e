"""Every way the real service, its models and the way there have been seen to fail, by name."""

from __future__ import annotations

# Importing a module of faults makes them known.
from . import (  # noqa: F401
    answers,
    batches,
    embeddings,
    gateway,
    identity,
    proxies,
    streams,
    transport,
    upstream,
)
from .fault import FAULTS, Fault, Occasion, read
from .rules import Rule, Rules, read_rule

__all__ = ["FAULTS", "Fault", "Occasion", "Rule", "Rules", "read", "read_rule"]
