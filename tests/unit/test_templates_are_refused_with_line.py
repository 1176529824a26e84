"""A broken template never reaches the cluster: it is refused with file, line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_operator.domain.plan.manifests import TemplateRefused
from integration_operator.rendering.samples import SAMPLES
from integration_operator.rendering.templates import NAMES, TemplateFiles
from integration_operator.shipped import shipped_directory

CASES = [
    ("unknown variable", "connection", "{{ transport.uri", "{{ transport.url", "has no attribute 'url'"),
    ("variable of no template", "connection", "~ space.name ~", "~ spaec.name ~", "'spaec'"),
    ("variable of another template", "connection", "{{ transport.uri", "{{ credential.password", "'credential'"),
    (
        "in a branch not taken",
        "secret",
        "data:\n",
        "data:\n{% if false %}\n  x: {{ nothing }}\n{% endif %}\n",
        "'nothing'",
    ),
    ("syntax", "secret", "data:\n", "data:\n  x: {% if %}\n", "Expected an expression"),
    ("not YAML", "secret", "data:\n", "data:\n  x: [1\n", "not YAML"),
    ("another name", "secret", "{{ metadata.name | tojson }}", "mine", "metadata.name may not be changed"),
    ("another namespace", "secret", "{{ metadata.namespace | tojson }}", "kube-system", "metadata.namespace may not"),
    ("another kind", "connection", "{{ kind }}", "ConfigMap", "kind may not be changed"),
    ("another version", "connection", "{{ apiVersion | tojson }}", "v1", "apiVersion may not be changed"),
    ("no owner", "connection", "{{ metadata.ownerReferences | tojson }}", "[]", "ownerReferences may not be changed"),
    ("no labels", "secret", "{{ metadata.labels | tojson }}", "{}", "metadata.labels must keep"),
    ("a number as label", "secret", "{{ metadata.labels | tojson }}", "{ a: 1 }", "a mapping of texts"),
    (
        "a label that Syndesis prunes by",
        "connection",
        "{{ metadata.labels | tojson }}",
        '{{ dict(metadata.labels, owner="x") | tojson }}',
        "a label named 'owner'",
    ),
    ("another password", "secret", "{{ credential.password | b64encode | tojson }}", "YQ==", "data.password must hold"),
    ("a fixed user", "secret", "{{ credential.username | b64encode | tojson }}", "YQ==", "data.username must hold"),
    ("another user", "messaginguser", "{{ credential.username | tojson }}", "root", "spec.username must hold"),
    ("a password in clear", "messaginguser", "credential.password | b64encode", "credential.password", "password must"),
    ("a status", "connection", "spec:\n", "status: {}\nspec:\n", "status may not be set"),
    ("a finalizer", "secret", "metadata:\n", "metadata:\n  finalizers: [a]\n", "metadata.finalizers may not be set"),
    ("out of the sandbox", "secret", "data:\n", "data:\n  x: {{ ''.__class__.__mro__ }}\n", ""),
    ("an endless loop", "secret", "data:\n", "data:\n  x: {{ range(999999999) | list }}\n", ""),
    (
        "loops in loops",
        "secret",
        "data:\n",
        "data:\n  x: {% for a in range(900) %}{% for b in range(900) %}{% endfor %}{% endfor %}\n",
        "loops of more than 10000 steps",
    ),
    (
        "a text without end",
        "secret",
        "data:\n",
        "data:\n  x: {{ 'xxxxx' * 99999999 }}\n",
        "more than 262144 characters",
    ),
    ("a list without end", "secret", "data:\n", "data:\n  x: {{ 99999999 * [1] }}\n", "more than 262144 characters"),
    (
        "a long document",
        "secret",
        "data:\n",
        "data:\n{% for a in range(999) %}  k{{ a }}: {{ 'x' * 999 }}\n{% endfor %}",
        "a document of more than 262144 characters",
    ),
    ("a power", "secret", "data:\n", "data:\n  x: {{ 9 ** 99999999 }}\n", "powers (**) are not supported"),
    (
        "a macro that calls itself",
        "secret",
        "data:\n",
        "data:\n  x: {% macro m() %}{{ m() }}{% endmacro %}{{ m() }}\n",
        "RecursionError",
    ),
    ("changing its variables", "secret", "data:\n", "data:\n  x: {{ metadata.update(a=1) }}\n", ""),
]


@pytest.mark.parametrize(("name", "old", "new", "said"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_refused(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    shipped = (shipped_directory("templates") / f"{name}.yaml.j2").read_text()
    assert old in shipped
    position = shipped.rindex(old) if old == "data:\n" else shipped.index(old)
    broken = shipped[:position] + new + shipped[position + len(old) :]
    file = tmp_path / f"{name}.yaml.j2"
    file.write_text(broken)
    with pytest.raises(TemplateRefused) as refused:
        TemplateFiles(tmp_path).check()
    message = str(refused.value)
    assert said in message
    where, line, _ = message.split(":", 2)
    assert where == str(file)
    first = shipped[:position].count("\n") + 1
    assert first <= int(line) <= first + new.count("\n") + 1, message
    assert "\n" not in message
    assert "sample-password" not in message


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("secret", ("  password:",), "data.password must hold the credential"),
        ("messaginguser", ("    password:",), "spec.authentication.password must hold the credential"),
        ("connection", ("  - property: password", "secret.passwordKey"), "must take the password from the Secret"),
    ],
)
def test_a_credential_that_is_dropped_is_refused(tmp_path: Path, name: str, lines: tuple[str, ...], said: str) -> None:
    shipped = (shipped_directory("templates") / f"{name}.yaml.j2").read_text().splitlines(keepends=True)
    kept = [line for line in shipped if not any(part in line for part in lines)]
    assert len(kept) == len(shipped) - len(lines)
    (tmp_path / f"{name}.yaml.j2").write_text("".join(kept))
    with pytest.raises(TemplateRefused, match=said):
        TemplateFiles(tmp_path).check()


def test_shipped_ones_are_accepted() -> None:
    TemplateFiles().check()


def test_a_users_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    own = (shipped_directory("templates") / "connection.yaml.j2").read_text().replace('"EnMasse "', '"Ours "')
    (tmp_path / "connection.yaml.j2").write_text(own)
    templates = TemplateFiles(tmp_path)
    templates.check()
    identity, variables = SAMPLES["connection"][0]
    assert templates.render("connection", identity, variables)["spec"]["name"] == "Ours orders (shop)"
    assert templates.file("secret") == shipped_directory("templates") / "secret.yaml.j2"


@pytest.mark.parametrize(
    "name", ["conection.yaml.j2", "connection.yml.j2", "connection.j2", "connection.yaml", "Connection.yaml.j2"]
)
def test_a_misspelt_name_is_refused_with_the_right_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(TemplateRefused) as error:
        TemplateFiles(tmp_path)
    assert str(error.value) == f"{tmp_path / name}: no template has this name; did you mean connection.yaml.j2?"


def test_a_template_of_no_known_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "route.yaml.j2").write_text("x")
    with pytest.raises(
        TemplateRefused, match=r"route.yaml.j2: no template has this name; templates are integration.yaml"
    ):
        TemplateFiles(tmp_path)


def test_what_templates_include_and_what_is_no_template_is_fine(tmp_path: Path) -> None:
    shipped = (shipped_directory("templates") / "connection.yaml.j2").read_text()
    (tmp_path / "connection.yaml.j2").write_text("{% include 'comment.j2' %}\n" + shipped)
    (tmp_path / "comment.j2").write_text("# a comment\n\n")
    (tmp_path / "kustomization.yaml").write_text("resources: []")
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "..2024_01_01.j2").mkdir()  # as in the volume of a ConfigMap
    TemplateFiles(tmp_path).check()


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateRefused, match="no such directory"):
        TemplateFiles(tmp_path / "nothing")


@pytest.mark.parametrize("name", NAMES)
def test_no_value_can_break_out_of_its_place(name: str) -> None:
    identity, variables = SAMPLES[name][0]  # type: ignore[index]
    evil = "x\"\n- {}: ['#"
    space = {**variables["space"], "name": evil}
    rendered = TemplateFiles().render(name, identity, {**variables, "space": space})  # type: ignore[arg-type]
    assert rendered["kind"] == identity.kind
    if name == "integration":
        assert rendered["spec"]["addressSpaceRef"]["name"] == evil
