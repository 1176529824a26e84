"""Facts and plans are values: nothing changes one that was made, and an action shows no password when it is printed."""

from __future__ import annotations

import base64
import importlib
import inspect
import pkgutil
from dataclasses import is_dataclass

import pytest

import integration_operator.domain
from integration_operator.api import names
from integration_operator.domain.model.actions import Apply
from integration_operator.domain.model.credential import credential_of_secret
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, space, syndesis
from tests.support.dry_runs import dry_run


def classes_of_the_domain() -> list[type]:
    package = integration_operator.domain
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and is_dataclass(member)
    ]


def test_nothing_changes_a_value_or_adds_to_it() -> None:
    snapshot = dry_run([space(), syndesis(), integration(enabled=True)], ("same-namespace",))
    (pair,) = snapshot.pairs()
    _, plan = snapshot.settle(pair, TemplateFiles())
    for value, name in ((snapshot.facts(pair), "deleting"), (plan, "step"), (plan.conditions, "x")):
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, None)
    for of_domain in classes_of_the_domain():
        assert of_domain.__dataclass_params__.frozen, of_domain  # type: ignore[attr-defined]
        assert "__slots__" in vars(of_domain), of_domain


@pytest.mark.parametrize("delivery", [{"user": "native"}, {"user": "keycloak", "connection": "rest"}])
def test_no_representation_of_an_action_shows_a_password(delivery: dict[str, str]) -> None:
    """A log or a traceback may contain one."""
    snapshot = dry_run([space(), syndesis(), integration(enabled=True, delivery=delivery)], ("same-namespace",))
    (pair,) = snapshot.pairs()
    actions, _ = snapshot.settle(pair, TemplateFiles())
    facts = snapshot.facts(pair)
    assert facts.integration is not None
    assert facts.children.secret is not None
    passwords = [facts.login.new_password, getattr(credential_of_secret(facts.children.secret), "password", "")]
    snapshot.merge("Integration", facts.integration.ref, {"metadata": {"annotations": {names.ROTATE: "now"}}})
    rotation, _ = snapshot.settle(pair, TemplateFiles())
    assert any(isinstance(action, Apply) and action.only_if is not None for action in rotation)
    secret = snapshot.facts(pair).children.secret
    assert secret is not None
    passwords.append(getattr(credential_of_secret(secret), "password", ""))
    assert all(passwords)
    for text in (repr(action) for action in (*actions, *rotation)):
        for password in passwords:
            assert password not in text
            assert base64.b64encode(password.encode()).decode() not in text
    assert all(password not in repr(facts.login) for password in passwords)
