"""The newest batches at a glance: how far each is, and nothing done about it."""

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session, state
from alcf_jupyter.frames.batch.glance import newest
from tests.frames.batching import MODEL, connect, created, limits, sandbox, slow, table, until


@pytest.fixture(scope="module")
def _box(tmp_path_factory):
    with sandbox(tmp_path_factory.mktemp("root")) as made:
        made.client = connect(made)
        yield made


@pytest.fixture
def box(_box):
    session.current().client = _box.client
    return _box


def submit(box, name):
    folder = box.root / name
    folder.mkdir()
    return alcf.submit_batch(table(20), "Say: {{text}}", model=MODEL, folder=folder)


def seen(box, fits):
    """The newest batch, once how far it is fits."""
    return until(box, lambda: newest(box.client, 1)[0], lambda found: fits(found[1]))


def test_a_batch_under_way_is_told_from_its_files_and_then_by_the_service(box):
    slow(box)
    batch = submit(box, "first")
    box.sent()
    known, now = seen(box, lambda now: 0 < now.lines < 20)
    assert (known.batch.id, known.batch.model) == (batch.id, MODEL)
    assert (now.lines % 5, now.failed, now.total) == (0, 0, 20)
    assert created(box) == []
    known, now = seen(box, lambda now: now.done)
    assert (known.batch.status, now.lines, now.total, now.failed) == ("completed", 20, 20, 0)


def test_a_manifest_that_only_lies_beside_the_input_is_found(box):
    slow(box)
    batch = submit(box, "second")
    (state.folder("batches") / f"{batch.id}.path").unlink()
    _, now = seen(box, lambda now: now.lines)
    assert now.total == 20
    seen(box, lambda now: now.done)
    batch.wait()


def test_no_more_are_asked_for_than_are_shown(box):
    limits(box, batch_chunk_lines=20_000, batch_seconds=0, batch_chunk_seconds=1)
    for name in ("third", "fourth"):
        submit(box, name).wait()
    assert len(newest(box.client, 2)) == 2
    assert len(newest(box.client, 100)) >= 2
