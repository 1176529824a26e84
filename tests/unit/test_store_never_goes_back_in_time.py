"""A store shows the latest that is known, whoever reported it, and its indexes show the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.runtime import store as module
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.store import Store
from tests.support.documents import Document


def thing(name: str, version: int, *, uid: str = "", colour: str = "red") -> Document:
    metadata = {"name": name, "namespace": "n", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "colour": colour}


def plain(document: Document) -> tuple[str, str]:
    """Return what is kept: the version does not count as a change."""
    return document["metadata"]["name"], document["colour"]


@pytest.fixture
def store() -> Store[tuple[str, str]]:
    return Store(plain, {"colour": lambda kept: (kept[1],)})


def colour(store: Store[tuple[str, str]], name: str = "a") -> str | None:
    found = store.get(Ref("n", name))
    return found[1] if found else None


def test_an_older_event_is_dropped(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 5, colour="blue"))
    store.apply_event("MODIFIED", thing("a", 4, colour="red"))
    assert colour(store) == "blue"


def test_the_answer_to_a_write_overtakes_the_watch(store: Store[tuple[str, str]]) -> None:
    store.record_write(thing("a", 7, colour="green"))
    store.apply_event("ADDED", thing("a", 6, colour="red"))
    assert colour(store) == "green"


def test_an_answer_that_the_watch_overtook_is_dropped(store: Store[tuple[str, str]]) -> None:
    store.apply_event("MODIFIED", thing("a", 8, colour="blue"))
    store.record_write(thing("a", 7, colour="green"))
    assert colour(store) == "blue"


def test_a_list_that_was_asked_for_before_a_write_does_not_undo_it(store: Store[tuple[str, str]]) -> None:
    epoch = store.epoch()
    store.record_write(thing("a", 9, colour="green"))
    assert store.replace([store.read(thing("b", 3))], epoch) == []
    assert colour(store) == "green"
    assert colour(store, "b") == "red"


def test_a_list_that_contains_a_write_shows_what_others_did_afterwards(store: Store[tuple[str, str]]) -> None:
    """The watch starts at the LIST and never reports what came between the write and the LIST."""
    epoch = store.epoch()
    store.record_write(thing("a", 9, colour="green"))
    store.record_write(thing("gone", 10))
    store.record_write(thing("later", 13, colour="green"))
    reports = [store.read(thing("a", 11, colour="blue")), store.read(thing("later", 3))]
    assert store.replace(reports, epoch, 12) == [("gone", "red")]
    assert colour(store) == "blue"
    assert colour(store, "gone") is None
    assert colour(store, "later") == "green"


def test_a_list_may_go_back_in_time_after_a_restore(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 90, colour="blue"))
    store.record_write(thing("b", 91))
    vanished = store.replace([store.read(thing("a", 5, colour="red"))], store.epoch())
    assert colour(store) == "red"
    assert vanished == [("b", "red")]


def test_a_removal_of_ours_stays_until_the_watch_confirms(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 1))
    store.record_delete(Ref("n", "a"), "uid-a")
    store.apply_event("MODIFIED", thing("a", 2))
    assert colour(store) is None
    store.apply_event("DELETED", thing("a", 3))
    store.apply_event("ADDED", thing("a", 4, uid="uid-new"))
    assert colour(store) == "red"


def test_the_answer_to_a_write_does_not_bring_back_what_the_watch_saw_deleted(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 1))
    store.apply_event("DELETED", thing("a", 3))
    store.record_write(thing("a", 2, colour="green"))
    assert colour(store) is None


def test_what_a_stale_list_did_not_have_comes_back_with_the_watch(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 7))
    store.replace([], store.epoch())
    assert colour(store) is None
    store.apply_event("ADDED", thing("a", 7))
    assert colour(store) == "red"


def test_what_was_deleted_may_be_restored_from_a_backup(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 7))
    store.apply_event("DELETED", thing("a", 8))
    store.replace([store.read(thing("a", 7))], store.epoch())
    store.apply_event("MODIFIED", thing("a", 9, colour="blue"))
    assert colour(store) == "blue"


def test_taking_off_the_last_finalizer_of_what_is_being_deleted_is_its_end(store: Store[tuple[str, str]]) -> None:
    document = thing("a", 1)
    store.apply_event("ADDED", document)
    kept = {**document["metadata"], "resourceVersion": "2", "deletionTimestamp": "now", "finalizers": ["another's"]}
    store.record_write({**document, "metadata": kept})
    assert colour(store) == "red"
    store.record_write({**document, "metadata": {**kept, "resourceVersion": "3", "finalizers": []}})
    assert colour(store) is None


def test_things_without_uid_come_and_go(store: Store[tuple[str, str]]) -> None:
    nameless = thing("a", 1)
    nameless["metadata"]["uid"] = ""
    store.apply_event("ADDED", nameless)
    store.apply_event("DELETED", nameless)
    store.apply_event("ADDED", nameless)
    assert colour(store) == "red"


def test_no_more_than_so_many_deletions_are_remembered(
    store: Store[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DELETED", 2)
    for name in "abc":
        store.apply_event("DELETED", thing(name, 1))
    for name in "abc":
        store.record_write(thing(name, 2))
    assert [colour(store, name) for name in "abc"] == ["red", None, None]


def test_a_deletion_of_an_earlier_object_of_that_name_is_no_news(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 5, uid="new"))
    store.apply_event("DELETED", thing("a", 6, uid="old"))
    assert colour(store) == "red"


def test_an_object_made_again_is_another_one(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 50, uid="old"))
    store.apply_event("ADDED", thing("a", 7, uid="new", colour="blue"))
    assert colour(store) == "blue"


def test_subscribers_hear_of_changes_that_matter_and_not_of_our_writes(store: Store[tuple[str, str]]) -> None:
    heard: list[tuple[object, object]] = []
    store.subscribe(lambda old, new: heard.append((old, new)))
    store.apply_event("ADDED", thing("a", 1))
    store.apply_event("MODIFIED", thing("a", 2))
    store.record_write(thing("a", 3, colour="blue"))
    store.apply_event("MODIFIED", thing("a", 3, colour="blue"))
    store.apply_event("MODIFIED", thing("a", 4, colour="green"))
    store.apply_event("DELETED", thing("a", 5))
    assert heard == [
        (None, ("a", "red")),
        (("a", "blue"), ("a", "green")),
        (("a", "green"), None),
    ]


operations = st.lists(
    st.tuples(
        st.sampled_from(["ADDED", "MODIFIED", "DELETED", "wrote", "removed", "replace"]),
        st.sampled_from("abc"),
        st.sampled_from(["red", "blue"]),
    ),
    max_size=40,
)


@given(operations)
def test_indexes_show_what_the_store_shows(steps: list[tuple[str, str, str]]) -> None:
    store: Store[tuple[str, str]] = Store(plain, {"colour": lambda kept: (kept[1],)})
    for version, (what, name, shade) in enumerate(steps, 1):
        document = thing(name, version, uid=f"{name}-{version // 7}", colour=shade)
        if what == "wrote":
            store.record_write(document)
        elif what == "removed":
            store.record_delete(Ref("n", name), document["metadata"]["uid"])
        elif what == "replace":
            store.replace([store.read(document)], store.epoch())
        else:
            store.apply_event(what, document)
        for shade_ in ("red", "blue"):
            assert sorted(store.by("colour", shade_)) == sorted(kept for kept in store if kept[1] == shade_)
        assert set(store.keys("colour")) == {kept[1] for kept in store}


def test_a_deletion_during_a_list_is_remembered_after_it(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 1))
    epoch = store.epoch()
    store.record_delete(Ref("n", "a"), "uid-a")
    store.replace([store.read(thing("a", 1))], epoch)
    assert colour(store) is None
    store.apply_event("MODIFIED", thing("a", 2))
    assert colour(store) is None, "the watch has not come to the deletion yet"


def test_a_write_in_the_epoch_of_a_list_is_newer_than_the_list(store: Store[tuple[str, str]]) -> None:
    epoch = store.epoch()
    store.record_write(thing("a", 9, colour="green"))
    store.replace([store.read(thing("a", 3, colour="red"))], epoch, 5)
    assert colour(store) == "green"
    store.replace([store.read(thing("a", 9, colour="blue"))], epoch, 9)
    assert colour(store) == "blue", "a LIST of that version contains it"


def test_the_version_of_an_object_is_known(store: Store[tuple[str, str]]) -> None:
    store.apply_event("ADDED", thing("a", 7))
    assert (store.version(Ref("n", "a")), store.version(Ref("n", "b"))) == ("7", "")
