"""The changes of a Python source that are tried, in a fixed order.

A comparison, a condition, a number, a truth value, a returned value, or a statement is changed. Left alone are texts,
annotations, decorators, assertions, and what is logged: no behavior depends on them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Change = tuple[str, Callable[[Any], ast.AST]]
"""What is changed, and how a node becomes another one."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}

CONDITIONS = (ast.Compare, ast.BoolOp, ast.UnaryOp)
"""Conditions that have changes of their own."""


class Mutation(NamedTuple):
    """A change of a source. ``function`` is the first line of the outermost function with it, 0 outside functions."""

    number: int
    line: int
    function: int
    text: str


def mutations_of(source: str) -> list[Mutation]:
    """Return all changes of a source."""
    walk = _Walk(None)
    walk.visit(ast.parse(source))
    return walk.found


def mutated(source: str, number: int) -> ast.Module:
    """Return the tree of a source with one change."""
    tree = _Walk(number).visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


@dataclass
class _Walk(ast.NodeTransformer):
    """Numbers the changes, and makes the one with the number ``wanted``."""

    wanted: int | None

    def __post_init__(self) -> None:
        self.found: list[Mutation] = []
        self._function = 0

    def visit(self, node: ast.AST) -> Any:
        """Visit a node and what is in it."""
        changed = node
        for text, change in _changes(node):
            number, line = len(self.found), getattr(node, "lineno", 0)
            self.found.append(Mutation(number, line, self._function, text))
            if number == self.wanted:
                changed = ast.copy_location(change(node), node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._visit_function(node)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                node.value = self.visit(node.value)
        elif not isinstance(node, ast.Assert) and not _is_logging(node):
            self.generic_visit(node)
        return changed

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outermost, self._function = self._function, self._function or _first_line(node)
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [self.visit(d) if d is not None else None for d in node.args.kw_defaults]
        node.body = [self.visit(statement) for statement in node.body]
        self._function = outermost


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return ``co_firstlineno`` of the function: the line of its first decorator, if it has one."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _changes(node: ast.AST) -> Iterator[Change]:
    yield from _changes_of_statement(node) if isinstance(node, ast.stmt) else _changes_of_expression(node)


def _changes_of_expression(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator]):
            other = COMPARISONS[type(operator)]
            yield (
                f"{type(operator).__name__} → {other.__name__}",
                lambda n: ast.Compare(n.left, [other()], n.comparators),
            )
        case ast.BoolOp(op=operator):
            swapped = ast.Or if isinstance(operator, ast.And) else ast.And
            yield f"→ {swapped.__name__}", lambda n: ast.BoolOp(swapped(), n.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", lambda n: n.operand
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            instead = OPERATORS[type(operator)]
            yield f"→ {instead.__name__}", lambda n: ast.BinOp(n.left, instead(), n.right)
        case ast.Constant(value=bool(value)):
            yield f"→ {not value}", lambda n: ast.Constant(not n.value)
        case ast.Constant(value=int(value) | float(value)):
            yield f"{value} → {value + 1}", lambda n: ast.Constant(n.value + 1)
        case ast.IfExp() if not isinstance(node.test, CONDITIONS):
            yield "condition negated", _with_negated_test


def _changes_of_statement(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.If() | ast.While() if not isinstance(node.test, CONDITIONS):
            yield "condition negated", _with_negated_test
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "returns None", lambda n: ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()) if not _is_logging(node):
            yield "statement removed", lambda n: ast.Pass()
        case ast.Raise() | ast.AugAssign() | ast.Delete():
            yield "statement removed", lambda n: ast.Pass()
        case ast.Continue():
            yield "→ break", lambda n: ast.Break()
        case ast.Break():
            yield "→ continue", lambda n: ast.Continue()


def _with_negated_test(node: ast.If | ast.While | ast.IfExp) -> ast.AST:
    fields = {name: getattr(node, name) for name in node._fields}
    return type(node)(**{**fields, "test": ast.UnaryOp(ast.Not(), node.test)})


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_logging(node: ast.AST) -> bool:
    """Return True for a statement like ``log.info(…)`` or ``self._log.info(…)``."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log") | ast.Attribute(attr="_log")))):
            return True
    return False
