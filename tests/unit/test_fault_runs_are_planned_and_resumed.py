"""Each boundary meets each fault that concerns it, in an order from a seed, and a journal goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

from tests.support.faults.boundaries import Boundary, Numbering, is_write, short
from tests.support.faults.faults import EVENT_FAULTS, LIST_FAULTS, WRITE_FAULTS
from tests.support.faults.journal import Entry, Journal
from tests.support.faults.plan import Spec, all_runs, shuffled, uncovered

WRITE = Boundary("kubernetes", "write", "PATCH secrets shop-*/a")
OVER_REST = Boundary("syndesis", "write", "POST connections")
EVENT = Boundary("kubernetes", "event", "ADDED secrets shop-*/a")
LIST = Boundary("kubernetes", "list", "LIST secrets")


def test_a_new_write_raises_the_count_by_itself() -> None:
    before = all_runs({"create": [WRITE, EVENT, LIST]})
    assert len(before) == len(WRITE_FAULTS) + len(EVENT_FAULTS) + len(LIST_FAULTS)
    assert len(all_runs({"create": [WRITE, EVENT, LIST, OVER_REST]})) == len(before) + len(WRITE_FAULTS)


def test_a_boundary_that_is_not_covered_is_named() -> None:
    recordings = {"create": [WRITE, OVER_REST]}
    runs = [run for run in all_runs(recordings) if run.boundary != OVER_REST]
    assert {run.boundary for run in uncovered(recordings, runs)} == {OVER_REST}


def test_a_seed_determines_the_order() -> None:
    runs = all_runs({"create": [WRITE, OVER_REST, EVENT]})
    assert shuffled(runs, 1) == shuffled(list(reversed(runs)), 1)
    assert shuffled(runs, 1) != shuffled(runs, 2)
    assert set(shuffled(runs, 1)) == set(runs)


def test_a_boundary_has_the_same_name_in_each_run() -> None:
    one, other = Numbering(), Numbering()
    names = [
        numbering.next("kubernetes", "write", f"PATCH {short(f'/apis/a.io/v1/namespaces/shop-{tag}/things/x-{tag}')}")
        for numbering, tag in ((one, "0a1b2c3d"), (other, "99887766"))
    ]
    assert names[0] == names[1]
    assert names[0].what == "PATCH things shop-*/x-*"
    assert one.next("kubernetes", "write", names[0].what).number == 1


def test_reads_and_log_ins_are_no_writes() -> None:
    assert not is_write("GET", "/api/v1/secrets")
    assert not is_write("POST", "/auth/realms/master/protocol/openid-connect/token")
    assert is_write("DELETE", "/api/v1/connections/a")


def test_a_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file, header = tmp_path / "journal", {"sources": "a", "seed": 1}
    journal = Journal(file, header)
    journal.add(Entry(Spec("create"), (), reached=False, seconds=1.0, boundaries=(WRITE, LIST)))
    journal.add(Entry(Spec("create", "reset", WRITE), ("lost",), reached=True, seconds=2.0))
    with file.open("a") as half:
        half.write('{"scenario": "cre')
    again = Journal(file, header)
    assert again.entries == journal.entries
    assert again.recordings == {"create": (WRITE, LIST)}
    assert [entry.result for entry in again.entries.values()] == ["good", "violated"]
    assert Journal(file, {**header, "sources": "b"}).entries == {}, "a journal of other sources is begun anew"
