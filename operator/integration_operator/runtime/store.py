"""The objects of one kind, by namespace and name, with indexes.

A reflector fills the store (``replace`` after a LIST, ``apply_event`` for a watch event). Own writes are recorded at
once (``record_write``, ``record_delete``), so the next read returns them. An event that is older than the stored object
is dropped, because the response to a write may overtake the watch. Only a LIST may go back in time, because the server
does after a restore from a backup.

Subscribers are called with (old, new) if the converted objects differ: a message counter in an AddressSpace is not a
change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from integration_operator.runtime.ref import Ref

Document = dict[str, Any]
T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
Index = Callable[[T], Iterable[Hashable]]
Subscriber = Callable[[T | None, T | None], None]
"""Called with the old and the new object; None if there is none."""

MAX_DELETED = 10_000
"""Deleted objects whose uids are kept to drop late events, and whose names to tell that their deletion was watched. So
many deletions take longer than any request."""


class Report(Generic[T]):
    """One object as the server returned it. ``version`` orders the reports of an object.

    ``epoch`` is set if the report is the response to an own write.
    """

    __slots__ = ("epoch", "object", "ref", "uid", "version")

    def __init__(self, ref: Ref, converted: T, uid: str, version: int | None, epoch: int = 0) -> None:
        self.ref = ref
        self.object = converted
        self.uid = uid
        self.version = version
        self.epoch = epoch


class Store(Generic[T]):
    """The objects of one kind.

    ``convert`` returns the object that is stored for a document. It never raises: a malformed document becomes an
    object that records its defects.
    """

    def __init__(self, convert: Callable[[Document], T], indexes: dict[str, Index[T]] | None = None) -> None:
        self._convert = convert
        self._entries: dict[Ref, Report[T]] = {}
        self._indexes = indexes or {}
        self._index: dict[str, dict[Hashable, dict[Ref, None]]] = {name: {} for name in self._indexes}
        self._subscribers: list[Subscriber[T]] = []
        self._deleted: dict[str, int] = {}
        """The uids of deleted objects and their epoch. Events for them are dropped until the next LIST."""
        self._deletion_watched: dict[Ref, None] = {}
        self._epoch = 0

    def subscribe(self, subscriber: Subscriber[T]) -> None:
        """Call ``subscriber(old, new)`` for each change from now on."""
        self._subscribers.append(subscriber)

    def get(self, ref: Ref) -> T | None:
        """Return the object of this name, None if there is none."""
        entry = self._entries.get(ref)
        return entry.object if entry else None

    def version(self, ref: Ref) -> str:
        """Return the resourceVersion of an object, empty if it is not known."""
        entry = self._entries.get(ref)
        return str(entry.version) if entry and entry.version is not None else ""

    def saw_deletion(self, ref: Ref) -> bool:
        """Check if the watch reported the deletion of this object. That is certain, which a LIST without it is not."""
        return ref in self._deletion_watched

    def __iter__(self) -> Iterator[T]:
        return (entry.object for entry in list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def by(self, index: str, key: Hashable) -> list[T]:
        """Return the objects that an index has for a key, in the order in which they were added."""
        return [self._entries[ref].object for ref in self._index[index].get(key, ())]

    def keys(self, index: str) -> list[Any]:
        """Return all keys of an index."""
        return list(self._index[index])

    def counts(self, index: str) -> dict[Any, int]:
        """Return the number of objects for each key of an index."""
        return {key: len(refs) for key, refs in self._index[index].items()}

    def epoch(self) -> int:
        """Start an epoch and return it. Call this before a LIST: own writes from then on are newer than the LIST."""
        self._epoch += 1
        return self._epoch

    def read(self, document: Document) -> Report[T]:
        """Convert one item of a LIST for ``replace``; the document is modified.

        An object that did not change is kept, so that a LIST needs no memory for a second copy of it.
        """
        ref, uid, version = _identity(document)
        converted, entry = self._convert(document), self._entries.get(ref)
        return Report(ref, entry.object if entry and entry.object == converted else converted, uid, version)

    def replace(self, reports: Iterable[Report[T]], epoch: int, version: int | None = None) -> list[T]:
        """Replace all objects by those of a LIST, except own writes after ``epoch``. Return the removed objects.

        ``version`` is the resourceVersion of the LIST, if it is a number: an own write up to it is part of the LIST,
        and what another client did to the object afterwards, too. The watch starts there and never reports that.
        """
        seen: set[Ref] = set()
        for report in reports:
            seen.add(report.ref)
            entry = self._entries.get(report.ref)
            is_newer = entry is not None and _is_after(entry, epoch, version)
            if not is_newer and self._deleted.get(report.uid, 0) < epoch:
                self._put(report)
        self._deleted = {uid: deleted_in for uid, deleted_in in self._deleted.items() if deleted_in >= epoch}
        missing = [
            ref for ref, entry in self._entries.items() if ref not in seen and not _is_after(entry, epoch, version)
        ]
        objects = [self._entries[ref].object for ref in missing]
        for ref in missing:  # the uid is not remembered: if the LIST was stale, the watch adds the object again
            self._drop(ref)
        return objects

    def apply_event(self, kind: str, document: Document) -> None:
        """Apply a watch event: ``ADDED``, ``MODIFIED`` or ``DELETED``."""
        ref, uid, version = _identity(document)
        entry = self._entries.get(ref)
        if kind == "DELETED":
            self._remember_deleted(uid)
            if entry and entry.uid == uid:
                _remember(self._deletion_watched, ref, None)
                self._drop(ref)
            return
        if uid in self._deleted or (entry and entry.uid == uid and not _is_newer(version, entry.version)):
            return
        self._put(Report(ref, self._convert(document), uid, version))

    def record_write(self, document: Document) -> T:
        """Record the response to an own write, without a call to subscribers; return the object.

        If the write removed the last finalizer of an object that is being deleted, the object no longer exists.
        """
        ref, uid, version = _identity(document)
        entry = self._entries.get(ref)
        if entry and entry.uid == uid and not _is_newer(version, entry.version):
            return entry.object
        converted = self._convert(document)
        if uid in self._deleted:  # the watch overtook the response
            return converted
        if _is_final(document):
            self.record_delete(ref, uid)
            return converted
        self._put(Report(ref, converted, uid, version, self._epoch), notify=False)
        return converted

    def record_delete(self, ref: Ref, uid: str) -> None:
        """Record the deletion of an object, ahead of the watch event."""
        entry = self._entries.get(ref)
        if entry and entry.uid == uid:
            self._remember_deleted(uid)
            self._drop(ref)

    def _remember_deleted(self, uid: str) -> None:
        if not uid:  # users of EnMasse's aggregated API have none
            return
        _remember(self._deleted, uid, self._epoch)

    def _put(self, report: Report[T], *, notify: bool = True) -> None:
        ref, converted = report.ref, report.object
        entry = self._entries.get(ref)
        old = entry.object if entry else None
        if entry:
            self._unindex(ref, entry.object)
        self._entries[ref] = report
        self._deletion_watched.pop(ref, None)
        for name, keys_of in self._indexes.items():
            index = self._index[name]
            for key in keys_of(converted):
                index.setdefault(key, {})[ref] = None
        if notify and old != converted:
            self._notify(old, converted)

    def _drop(self, ref: Ref) -> None:
        entry = self._entries.pop(ref)
        self._unindex(ref, entry.object)
        self._notify(entry.object, None)

    def _unindex(self, ref: Ref, converted: T) -> None:
        for name, keys_of in self._indexes.items():
            index = self._index[name]
            for key in keys_of(converted):
                refs = index.get(key)
                if refs is not None:
                    refs.pop(ref, None)
                    if not refs:
                        del index[key]

    def _notify(self, old: T | None, new: T | None) -> None:
        for subscriber in self._subscribers:
            subscriber(old, new)


def _remember(deleted: dict[K, V], key: K, value: V) -> None:
    """Add the newest deletion, and forget the oldest if there are too many."""
    deleted.pop(key, None)
    deleted[key] = value
    if len(deleted) > MAX_DELETED:
        del deleted[next(iter(deleted))]


def _identity(document: Document) -> tuple[Ref, str, int | None]:
    metadata = document["metadata"]
    version = metadata.get("resourceVersion", "")
    return (
        Ref(metadata.get("namespace", ""), metadata["name"]),
        metadata.get("uid", ""),
        int(version) if version.isdigit() else None,
    )


def _is_final(document: Document) -> bool:
    """Return True if the object is being deleted and has no finalizers left."""
    metadata = document["metadata"]
    return "deletionTimestamp" in metadata and not metadata.get("finalizers")


def _is_after(entry: Report[T], epoch: int, version: int | None) -> bool:
    """Return True if an entry is an own write that a LIST does not contain."""
    return entry.epoch >= epoch and (version is None or entry.version is None or entry.version > version)


def _is_newer(version: int | None, stored: int | None) -> bool:
    """Compare resourceVersions, which the API orders (KEP-5504); if one is not a number, the later report wins."""
    return version is None or stored is None or version > stored
