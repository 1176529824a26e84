"""docs/reference/kinds.md: the fields of the operator's kinds, from the CustomResourceDefinitions in crds/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.reference.markdown import GENERATED, code, codes, table

CRDS = Path(__file__).parents[2] / "crds"
FILES = ("integrations.integreatly.org.yaml", "connections.syndesis.io.yaml")

Schema = dict[str, Any]

HEAD = f"""\
# Fields of the kinds

{GENERATED.format(source="crds/")}
Each field of an Integration and of a Connection: its type, what the API server checks, and what it fills in.
`kubectl explain` prints the same from a cluster. [Integration](../integration.md) and
[Earlier releases](../compatibility.md#the-connection-controller) say how to work with them.
"""

LIMITS = (
    ("pattern", "matches `{}`"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} entries"),
    ("minimum", "at least {}"),
)
"""Keywords of OpenAPI and what they mean; ``{}`` is the value."""

LIST_TYPES = {"set": "each item once"}


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(_kind(yaml.safe_load((CRDS / file).read_text())) for file in FILES)


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield path, schema and necessity of each field below a schema; ``[]`` marks the items of a list."""
    for name, field in (schema.get("properties") or {}).items():
        below = f"{path}.{name}"
        yield below, field, name in schema.get("required", ())
        yield from fields(field, below)
        yield from fields(field.get("items") or {}, f"{below}[]")


def rules(schema: Schema) -> Iterator[str]:
    """Yield the messages of the CEL rules of a schema and of all below it."""
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    for below in [*(schema.get("properties") or {}).values(), *filter(None, [schema.get("items")])]:
        yield from rules(below)


def type_of(schema: Schema) -> str:
    """Return the type of a field in words."""
    if schema["type"] == "array":
        return f"list of {type_of(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"map of {type_of(schema['additionalProperties'])}s"
    return str(schema.get("format") if schema.get("format") == "date-time" else schema["type"])


def checks(schema: Schema, *, required: bool) -> str:
    """Return what the API server checks of a field."""
    found = ["required"] if required else []
    found += [f"one of {codes(value or chr(34) * 2 for value in schema['enum'])}"] if "enum" in schema else []
    found += ["not empty"] if 1 in (schema.get("minLength"), schema.get("minItems")) else []
    found += [text.format(schema[keyword]) for keyword, text in LIMITS if schema.get(keyword, 1) != 1]
    found += filter(None, [LIST_TYPES.get(schema.get("x-kubernetes-list-type", ""))])
    items = schema.get("items", {})
    found += [f"each {checks(items, required=False)}"] if items.get("type") == "string" else []
    return "; ".join(found)


def _kind(definition: Schema) -> str:
    spec = definition["spec"]
    (version,) = spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    names = spec["names"]
    short = f", short {codes(names['shortNames'])}" if names.get("shortNames") else ""
    api_version, plural = f"{spec['group']}/{version['name']}", code(names["plural"])
    return (
        f"\n## {names['kind']}\n\n{code(api_version)}, {plural}{short}. {schema['description']}\n"
        f"\n### Spec of {names['kind']}\n\n{_fields(schema, 'spec')}"
        f"\nThe API server also refuses an object for these reasons:\n\n{_rules(schema)}"
        f"\n### Status of {names['kind']}\n\n{_fields(schema, 'status')}"
        f"\n### Columns of {names['kind']}\n\n{_columns(version['additionalPrinterColumns'])}"
    )


def _fields(schema: Schema, part: str) -> str:
    rows = (
        (
            code(path.removeprefix(f"{part}.")),
            type_of(field),
            checks(field, required=required),
            code(str(field["default"]).lower()) if "default" in field else "",
            field["description"],
        )
        for path, field, required in fields(schema["properties"][part], part)
    )
    return table(("field", "type", "checked", "default", "meaning"), rows)


def _rules(schema: Schema) -> str:
    return "".join(f"* {' '.join(message.split())}\n" for message in rules(schema))


def _columns(columns: list[Schema]) -> str:
    rows = (
        (column["name"], "with `-o wide`" if column.get("priority") else "always", column["description"])
        for column in columns
    )
    return table(("column", "shown", "meaning"), rows)
