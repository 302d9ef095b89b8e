"""Exploring embeddings: neighbors, projection and the map, beside scikit-learn and the limit.

Neighbors: 1,000 queries in 100,000 embeddings of 1,024 numbers; the limit is the product of the two
matrices alone. Projection: 50,000 embeddings; the limit is the product that makes the covariance.
The map: 100,000 points in JupyterLab and Chromium, from running the cell to the points on the
screen, and from the end of a lasso to the rows in the kernel (where Chromium is installed).

Wall time on a shared machine varies, so the ways take turns, the least of several rounds counts,
and CPU time stands beside it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from _figures import tell

import alcf_jupyter as alcf
from alcf_jupyter.frames.explore import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 1024
QUERIES = 1000
BLOCK = 16_384
WHY = {
    "nearest neighbors, faiss": "On two cores its product is no faster than NumPy's, and it keeps "
    "the nearest of each query besides.",
}


def embeddings(rows: int, *, unit: bool) -> pd.DataFrame:
    """Make embeddings whose spectrum falls as that of real ones does."""
    random = np.random.default_rng(0)
    axes = random.standard_normal((200, WIDTH), dtype=np.float32)
    axes *= np.geomspace(1, 0.05, 200, dtype=np.float32)[:, None]
    vectors = random.standard_normal((rows, 200), dtype=np.float32) @ axes
    vectors += 0.2 * random.standard_normal((rows, WIDTH), dtype=np.float32) + 0.5
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), WIDTH)
    array = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))
    return pd.DataFrame({"embedding": array})


def measured(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the least wall and CPU seconds of each way; they take turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (min(w for w, _ in both), min(c for _, c in both)) for name, both in taken.items()
    }


def report(title: str, figures: dict[str, tuple[float, float]], limit: str) -> None:
    print(f"\n{title}\n{'':44}{'wall s':>8}{'CPU s':>8}{'wall, to limit':>16}{'CPU':>7}")
    for name, (wall, cpu) in figures.items():
        ratios = f"{wall / figures[limit][0]:15.2f}x{cpu / figures[limit][1]:6.2f}x"
        print(f"{name:44}{wall:8.2f}{cpu:8.2f}{ratios}")


def without_faiss(way: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        kept, nearest.find_spec = nearest.find_spec, lambda _name: None
        try:
            return way()
        finally:
            nearest.find_spec = kept

    return run


def neighbors(rounds: int, rows: int = 100_000) -> None:
    from sklearn.neighbors import NearestNeighbors

    emb = embeddings(rows, unit=True)
    vectors = alcf.matrix(emb)
    queries = np.random.default_rng(1).standard_normal((QUERIES, WIDTH), dtype=np.float32)

    def product() -> None:
        for start in range(0, rows, BLOCK):
            queries @ vectors[start : start + BLOCK].T

    def peer() -> Any:
        return NearestNeighbors(n_neighbors=10, metric="cosine").fit(vectors).kneighbors(queries)

    def ours() -> Any:
        return alcf.neighbors(emb, queries, 10)

    ways = {"limit: the product alone": product, "ours, NumPy": without_faiss(ours)}
    if find_spec("faiss"):
        ways["ours, faiss"] = ours
    ways["peer: scikit-learn"] = peer
    without_faiss(ours)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    without_faiss(ours)()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    figures = measured(ways, rounds)
    title = f"neighbors: {QUERIES:,} queries, {rows:,} x {WIDTH:,}, k = 10"
    report(title, figures, "limit: the product alone")
    print(f"a second search adds {grown:.0f} MB to a peak with {vectors.nbytes >> 20} MB of matrix")
    print("targets: at most 1.15x with faiss, 2x with NumPy")
    limit = figures["limit: the product alone"][0]
    for way, most in (("NumPy", 2.0), ("faiss", 1.15)):
        if f"ours, {way}" in figures:
            ours = figures[f"ours, {way}"][0]
            tell(
                f"nearest neighbors, {way}",
                ours,
                "s",
                peer=("scikit-learn", figures["peer: scikit-learn"][0]),
                limit=("the product alone", limit),
                target=f"<= {most} times the limit",
                reached=ours <= most * limit,
                cases=f"{QUERIES:,} queries in {rows:,} x {WIDTH:,}, least of {rounds}",
            )


def projection(rounds: int, rows: int = 50_000) -> None:
    from sklearn.decomposition import PCA

    emb = embeddings(rows, unit=False)
    vectors = alcf.matrix(emb)

    def product() -> Any:
        return vectors.T @ vectors

    def peer(solver: str) -> Callable[[], Any]:
        return lambda: PCA(2, svd_solver=solver, random_state=0).fit_transform(vectors)

    ways = {
        "limit: the product for the covariance": product,
        "ours": lambda: alcf.project(emb),
        "peer: scikit-learn, covariance_eigh": peer("covariance_eigh"),
        "peer: scikit-learn, randomized": peer("randomized"),
    }
    for name in ("pacmap", "umap"):
        if find_spec(name):
            ways[f"ours, method={name!r}"] = lambda name=name: alcf.project(emb, name)
    figures = measured(ways, rounds)
    report(
        f"projection: {rows:,} x {WIDTH:,} to 2", figures, "limit: the product for the covariance"
    )
    print("targets: PCA at most 0.7 s on two idle cores, PaCMAP 12 s")
    tell(
        "projection to a plane",
        figures["ours"][0],
        "s",
        peer=("scikit-learn, randomized", figures["peer: scikit-learn, randomized"][0]),
        limit=(
            "the product for the covariance",
            figures["limit: the product for the covariance"][0],
        ),
        target="<= 0.7 s on two idle cores",
        reached=figures["ours"][0] <= 0.7,
        cases=f"{rows:,} x {WIDTH:,}, least of {rounds}",
    )


SET_UP = """\
import numpy as np, pandas as pd, alcf_jupyter as alcf
random = np.random.default_rng(0)
emb = pd.DataFrame({{"text": [f"text number {{n}} of many" for n in range({rows})]}})
emb["x"], emb["y"] = random.standard_normal((2, {rows}))
emb["field"] = random.integers(0, 8, {rows}).astype(str)
"""
DRAWN = """() => {
  const canvas = document.querySelector('.alcf-map canvas');
  if (!canvas || !canvas.width) return false;
  const copy = document.createElement('canvas');
  copy.width = canvas.width; copy.height = canvas.height;
  const pen = copy.getContext('2d');
  pen.drawImage(canvas, 0, 0);
  const pixels = pen.getImageData(0, 0, copy.width, copy.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size > 50;
}"""


def opened(rows: int, picture: Path | None) -> None:
    """Open the map in a real JupyterLab and drag a lasso around half of it."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.ui import browser, server
    from tests.ui.notebook import NotebookPage

    if missing := browser.missing():
        print(f"\nthe map: not measured, {missing}")
        return
    with (
        tempfile.TemporaryDirectory() as home,
        server.jupyterlab(Path(home)) as lab,
        browser.chromium() as running,
    ):
        page = running.new_page(viewport={"width": 1400, "height": 900})
        notebook = NotebookPage(page, lab)
        view = "view = alcf.explore(emb, color='field')\nview"
        notebook.open([SET_UP.format(rows=rows), view, "print(len(view.selection))"])
        notebook.run(0)
        began = time.perf_counter()
        notebook.run(1, timeout=180)
        ran = time.perf_counter() - began
        page.wait_for_function(DRAWN, timeout=180_000)
        drawn = time.perf_counter() - began
        notebook.settle(2)
        box = notebook.output(1).locator("canvas").first.bounding_box()
        ways = [(0.1, 0.05), (0.5, 0.05), (0.5, 0.95), (0.1, 0.95), (0.1, 0.08)]
        corners = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ways]
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner, steps=4)
            page.wait_for_timeout(50)
        page.mouse.up()
        began = time.perf_counter()
        notebook.output(1).get_by_text("texts are chosen").wait_for(timeout=120_000)
        chosen = time.perf_counter() - began
        if picture:
            page.screenshot(path=picture)
        (count,) = notebook.run(2)
        notebook.close()
    print(f"\nthe map: {rows:,} points in JupyterLab and Chromium, WebGL in software")
    print(f"{'the cell is done after':44}{ran:8.2f} s")
    print(f"{'the points are on the screen after':44}{drawn:8.2f} s")
    print(f"{'a lasso gives its rows to the kernel after':44}{chosen:8.2f} s")
    print(f"{'rows in view.selection':44}{int(count['text']):8,}")
    cases = f"{rows:,} points, once"
    tell("from running the cell to points on the screen", drawn, "s", cases=cases)
    tell("from the end of a lasso to its rows", chosen, "s", cases=cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, default=100_000, help="on the map")
    parser.add_argument("--picture", type=Path, help="where a picture of the map goes")
    options = parser.parse_args()
    neighbors(options.rounds)
    projection(options.rounds)
    opened(options.points, options.picture)


if __name__ == "__main__":
    main()
