"""What goes into a paper: tokens by model, a paragraph for the methods section, a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter._version import __version__
from alcf_jupyter.connection.meter import meters

if TYPE_CHECKING:
    import os

    import pandas as pd

BIBTEX = r"""@inproceedings{Tanikanti2025FIRST,
  author    = {Tanikanti, Aditya and C{\^o}t{\'e}, Beno{\^i}t and Guo, Yanfei and Chen, Le
               and Saint, Nickolaus and Chard, Ryan and Raffenetti, Ken and Thakur, Rajeev
               and Uram, Thomas and Foster, Ian and Papka, Michael E.
               and Vishwanath, Venkatram},
  title     = {{FIRST}: Federated Inference Resource Scheduling Toolkit for Scientific {AI}
               Model Access},
  year      = {2025},
  publisher = {Association for Computing Machinery},
  doi       = {10.1145/3731599.3767346}
}"""
"""The paper that the service asks to be cited with."""

_SERVICES = {
    "alcf": "the Argonne Leadership Computing Facility (ALCF) Inference Endpoints",
    "sandbox": "the local sandbox of alcf_jupyter, which stands in for the service",
}


def usage() -> pd.DataFrame:
    """Return what this kernel has used of each model.

    Returns
    -------
    pandas.DataFrame
        By service, cluster and model: ``answers``, ``prompt_tokens``, ``completion_tokens`` and
        ``total_tokens``. Answers played from a record count as they did when they were recorded,
        those of a batch once they are read with its ``results``.
    """
    import pandas as pd

    rows = [
        (meter.service, cluster, model, n.answers, n.prompt_tokens, n.completion_tokens)
        for meter in meters()
        for (cluster, model), n in meter.counts().items()
    ]
    index = ["service", "cluster", "model"]
    counts = ["answers", "prompt_tokens", "completion_tokens"]
    frame = pd.DataFrame(rows, columns=[*index, *counts]).groupby(index)[counts].sum()
    return frame.assign(total_tokens=frame["prompt_tokens"] + frame["completion_tokens"])


def cite(path: str | os.PathLike[str] | None = None) -> str:
    """Return a paragraph for a methods section and the reference of the service's paper.

    Parameters
    ----------
    path
        A notebook to describe; what this kernel has asked where not given.
    """
    if path is None:
        table = usage().reset_index()
        asked = list(zip(table["service"], table["model"], table["cluster"], strict=True))
        dates = ""
    else:
        from alcf_jupyter.notebook.provenance import provenance

        told = provenance(path)
        known = told.dropna(subset=["model"])
        asked = list(zip(known["service"], known["model"], known["cluster"], strict=True))
        days = sorted({f"{day:%Y-%m-%d}" for day in told["time"].dropna()})
        dates = (
            f" The answers are of {' to '.join(dict.fromkeys((days[0], days[-1])))}."
            if days
            else ""
        )
    return f"{_paragraph(asked)}{dates}\n\n{BIBTEX}"


def _paragraph(asked: list[tuple[str, str, str]]) -> str:
    parts = []
    for service in dict.fromkeys(service for service, _, _ in asked):
        models: dict[str, list[str]] = {}
        for _, model, cluster in sorted({one for one in asked if one[0] == service}):
            models.setdefault(str(cluster), []).append(model)
        told = "; ".join(
            f"{', '.join(names)} on {cluster}" if cluster else ", ".join(names)
            for cluster, names in models.items()
        )
        where = _SERVICES.get(service, "an inference service with the OpenAI protocol")
        parts.append(f"{told}, through {where}")
    if not parts:
        return f"No model has been asked yet (alcf_jupyter {__version__})."
    return (
        f"Language models were run as follows: {' and '.join(parts)} [1], "
        f"from a Jupyter notebook with alcf_jupyter {__version__}."
    )
