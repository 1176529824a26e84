"""What the operator knows of one kind: the last state of each object, by namespace and name, with indexes.

A store is filled by its reflector (``replace`` after a LIST, ``apply_event`` from a WATCH) and by the operator's own
writes (``wrote``, ``removed``), so that the next look at it already shows them. An event that is older than what is
known is dropped: a write's answer overtakes the watch. Only a LIST may go back in time, because after a restore from
a backup the server itself does.

Whoever subscribes is called with (old, new) for each change that matters, which is decided by equality of the
converted objects: an AddressSpace whose routers count messages is not a change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from integration_operator.runtime.ref import Ref

Document = dict[str, Any]
T = TypeVar("T")
Index = Callable[[T], Iterable[Hashable]]
Subscriber = Callable[[T | None, T | None], None]
"""Called with what was known and what is known now; None where there is nothing."""


MAX_DELETED_UIDS = 10_000
"""A uid is remembered while a report of it may be on the way: this many deletions take longer than any request may."""


class Report(Generic[T]):
    """What the server said of one object: its version decides which of two reports is the later one.

    ``epoch`` is that of our own write where it is the answer to one.
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

    ``convert`` turns a document into what is kept of it and never raises: a malformed document becomes an object that
    says so.
    """

    def __init__(self, convert: Callable[[Document], T], indexes: dict[str, Index[T]] | None = None) -> None:
        self._convert = convert
        self._entries: dict[Ref, Report[T]] = {}
        self._indexes = indexes or {}
        self._index: dict[str, dict[Hashable, dict[Ref, None]]] = {name: {} for name in self._indexes}
        self._subscribers: list[Subscriber[T]] = []
        self._gone: dict[str, int] = {}
        """The uids of what was deleted, with the epoch: what is still said of them is old news, until the next LIST."""
        self._epoch = 0

    def subscribe(self, subscriber: Subscriber[T]) -> None:
        """Call ``subscriber(old, new)`` for each change from now on."""
        self._subscribers.append(subscriber)

    def get(self, ref: Ref) -> T | None:
        """The object of that name, if it is known."""
        entry = self._entries.get(ref)
        return entry.object if entry else None

    def __iter__(self) -> Iterator[T]:
        return (entry.object for entry in list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def by(self, index: str, key: Hashable) -> list[T]:
        """The objects that an index gives for a key, oldest known first."""
        return [self._entries[ref].object for ref in self._index[index].get(key, ())]

    def keys(self, index: str) -> list[Any]:
        """All keys that an index has objects for."""
        return list(self._index[index])

    def epoch(self) -> int:
        """A mark to take before a LIST: own writes after it are newer than the LIST's answer."""
        self._epoch += 1
        return self._epoch

    def read(self, document: Document) -> Report[T]:
        """Read one item of a LIST, which is used up; what a LIST shows is taken as a whole, by ``replace``."""
        ref, uid, version = _identity(document)
        return Report(ref, self._convert(document), uid, version)

    def replace(self, reports: Iterable[Report[T]], epoch: int) -> list[T]:
        """Take a LIST's answer as the whole truth, except for what we wrote after ``epoch``. Return what vanished."""
        seen: set[Ref] = set()
        for report in reports:
            seen.add(report.ref)
            known = self._entries.get(report.ref)
            if not (known and known.epoch >= epoch) and self._gone.get(report.uid, 0) < epoch:
                self._put(report)
        self._gone = {uid: at for uid, at in self._gone.items() if at >= epoch}
        vanished = [ref for ref, entry in self._entries.items() if ref not in seen and entry.epoch < epoch]
        gone = [self._entries[ref].object for ref in vanished]
        for ref in vanished:  # not for good: where the LIST was stale, the watch brings them back
            self._drop(ref)
        return gone

    def apply_event(self, kind: str, document: Document) -> None:
        """Take one watch event: ``ADDED``, ``MODIFIED`` or ``DELETED``."""
        ref, uid, version = _identity(document)
        known = self._entries.get(ref)
        if kind == "DELETED":
            self._bury(uid)
            if known and known.uid == uid:
                self._drop(ref)
            return
        if uid in self._gone or (known and known.uid == uid and not _newer(version, known.version)):
            return
        self._put(Report(ref, self._convert(document), uid, version))

    def record_write(self, document: Document) -> T:
        """Take the answer to a write of ours. Nobody is told: whoever wrote it looks again by itself.

        A write that takes off the last finalizer of what is being deleted is answered with the object as it was.
        """
        ref, uid, version = _identity(document)
        known = self._entries.get(ref)
        if known and known.uid == uid and not _newer(version, known.version):
            return known.object
        converted = self._convert(document)
        if uid in self._gone:  # the watch overtook the answer
            return converted
        if _is_last_news(document):
            self.removed(ref, uid)
            return converted
        self._put(Report(ref, converted, uid, version, self._epoch), tell=False)
        return converted

    def removed(self, ref: Ref, uid: str) -> None:
        """Take the answer to a delete of ours: it overtakes the watch."""
        known = self._entries.get(ref)
        if known and known.uid == uid:
            self._bury(uid)
            self._drop(ref)

    def _bury(self, uid: str) -> None:
        if not uid:  # EnMasse's aggregated API gives its users none
            return
        self._gone.pop(uid, None)
        self._gone[uid] = self._epoch
        if len(self._gone) > MAX_DELETED_UIDS:
            del self._gone[next(iter(self._gone))]

    def _put(self, report: Report[T], *, tell: bool = True) -> None:
        ref, converted = report.ref, report.object
        known = self._entries.get(ref)
        old = known.object if known else None
        if known:
            self._unindex(ref, known.object)
        self._entries[ref] = report
        for name, keys_of in self._indexes.items():
            index = self._index[name]
            for key in keys_of(converted):
                index.setdefault(key, {})[ref] = None
        if tell and old != converted:
            self._tell(old, converted)

    def _drop(self, ref: Ref) -> None:
        entry = self._entries.pop(ref)
        self._unindex(ref, entry.object)
        self._tell(entry.object, None)

    def _unindex(self, ref: Ref, converted: T) -> None:
        for name, keys_of in self._indexes.items():
            index = self._index[name]
            for key in keys_of(converted):
                refs = index.get(key)
                if refs is not None:
                    refs.pop(ref, None)
                    if not refs:
                        del index[key]

    def _tell(self, old: T | None, new: T | None) -> None:
        for subscriber in self._subscribers:
            subscriber(old, new)


def _identity(document: Document) -> tuple[Ref, str, int | None]:
    metadata = document["metadata"]
    version = metadata.get("resourceVersion", "")
    return (
        Ref(metadata.get("namespace", ""), metadata["name"]),
        metadata.get("uid", ""),
        int(version) if version.isdigit() else None,
    )


def _is_last_news(document: Document) -> bool:
    """Whether nothing keeps an object any more that is being deleted."""
    metadata = document["metadata"]
    return "deletionTimestamp" in metadata and not metadata.get("finalizers")


def _newer(version: int | None, known: int | None) -> bool:
    """Compare resourceVersions, which the API orders (KEP-5504); where one is no number, the later report wins."""
    return version is None or known is None or version > known
