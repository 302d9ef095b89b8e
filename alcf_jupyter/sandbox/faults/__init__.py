"""Every way the real service, its models and the way there have been seen to fail, by name."""

from __future__ import annotations

# Importing a module of faults makes them known.
from . import answers, batches, embeddings, gateway, identity, proxies, streams, transport, upstream
from .fault import FAULTS, Fault, Occasion, read
from .rules import Rule, Rules, read_rule

__all__ = ["FAULTS", "Fault", "Occasion", "Rule", "Rules", "read", "read_rule"]

GROUPS = {
    "transport": transport,
    "proxies": proxies,
    "identity": identity,
    "gateway": gateway,
    "upstream": upstream,
    "streams": streams,
    "answers": answers,
    "embeddings": embeddings,
    "batches": batches,
}
