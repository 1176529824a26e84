"""What a CustomResourceDefinition no longer accepts that an earlier one did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

UPPER, LOWER = ("maxLength", "maxItems", "maxProperties", "maximum"), ("minLength", "minItems", "minimum")


def narrowed(old: Schema, new: Schema) -> list[str]:
    """Return what is narrower in a new definition, as a path and a reason."""
    versions = {version["name"]: version for version in new["spec"]["versions"]}
    found = []
    for version in old["spec"]["versions"]:
        name = version["name"]
        if name not in versions or not versions[name]["served"]:
            found.append(f"{name}: no longer served")
            continue
        found += _narrowed(name, version["schema"]["openAPIV3Schema"], versions[name]["schema"]["openAPIV3Schema"])
    return [*found, *_identity(old["spec"], new["spec"])]


def _identity(old: Schema, new: Schema) -> Iterator[str]:
    for field in ("group", "scope"):
        if old[field] != new[field]:
            yield f"{field}: {old[field]} became {new[field]}"
    for field in ("plural", "kind", "singular"):
        if old["names"][field] != new["names"][field]:
            yield f"names.{field}: {old['names'][field]} became {new['names'][field]}"
    if lost := set(old["names"].get("shortNames", ())) - set(new["names"].get("shortNames", ())):
        yield f"names.shortNames: without {', '.join(sorted(lost))}"


def _narrowed(path: str, old: Schema, new: Schema) -> Iterator[str]:
    if old.get("type") != new.get("type"):
        yield f"{path}: {old.get('type')} became {new.get('type')}"
        return
    yield from (f"{path}: {reason}" for reason in (*_values(old, new), *_bounds(old, new), *_rules(old, new)))
    yield from _below(path, old, new)


def _values(old: Schema, new: Schema) -> Iterator[str]:
    if missing := set(new.get("required", ())) - set(old.get("required", ())):
        yield f"requires {', '.join(sorted(missing))}"
    if "enum" in new and (lost := set(old.get("enum", ("anything",))) - set(new["enum"])):
        yield f"no longer {', '.join(map(str, sorted(lost)))}"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"pattern {new['pattern']}"


def _bounds(old: Schema, new: Schema) -> Iterator[str]:
    for bound in UPPER:
        if bound in new and (bound not in old or new[bound] < old[bound]):
            yield f"{bound} {new[bound]}"
    for bound in LOWER:
        if bound in new and new[bound] > old.get(bound, 0):
            yield f"{bound} {new[bound]}"


def _rules(old: Schema, new: Schema) -> Iterator[str]:
    """Yield new rules about an object; one about a change, which has ``oldSelf``, leaves what is stored valid."""
    known = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known and "oldSelf" not in rule["rule"]:
            yield f"rule {rule['rule']}"


def _below(path: str, old: Schema, new: Schema) -> Iterator[str]:
    for field, schema in old.get("properties", {}).items():
        if field in new.get("properties", {}):
            yield from _narrowed(f"{path}.{field}", schema, new["properties"][field])
        elif not new.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{field}: dropped"
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _narrowed(f"{path}[]", old[part], new[part])
        elif part in old and part not in new:
            yield f"{path}[]: dropped"
