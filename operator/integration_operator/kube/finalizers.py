"""A finalizer of ours on an object that belongs to somebody else.

It is applied under a field manager of its own: so it is one entry in a set, whoever else is in it. One that somebody
else wrote too (a backup tool, a tenant) is theirs as well and stays when ours goes; it would hold the object for ever.
So it is then taken out of the list.
"""

from __future__ import annotations

from typing import Any

from integration_operator.kube.client import Client

Document = dict[str, Any]


async def set_finalizer(
    client: Client, path: str, document: Document, finalizer: str, *, present: bool, manager: str
) -> Document:
    """Put a finalizer on the object that ``document`` identifies, or take it off; return the object."""
    metadata = {**document["metadata"], "finalizers": [finalizer] if present else []}
    answer = await client.apply(path, {**document, "metadata": metadata}, manager=manager, force=True)
    left = answer["metadata"].get("finalizers") or []
    if present or finalizer not in left:
        return answer
    this = {key: answer["metadata"][key] for key in ("uid", "resourceVersion")}
    kept = [name for name in left if name != finalizer]
    return await client.patch(path, {"metadata": {**this, "finalizers": kept}})
