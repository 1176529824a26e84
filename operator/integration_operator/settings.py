"""Settings: flags before environment before file before defaults, checked before anything starts.

A setting that is wrong ends the start with one line that says where it stands and why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from yaml import compose

from integration_operator.api import names
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.policies.pairing import DEFAULT_RULES, rules_named
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, documents, read_text


class SettingsError(Exception):
    """A setting is wrong; the message says where it stands (file and line, variable or flag) and why."""


class Settings(BaseSettings):
    """All settings. Each is a flag of ``run``, a key of the file and an environment variable."""

    model_config = SettingsConfigDict(env_prefix=names.ENV_PREFIX, extra="forbid", frozen=True)

    kubeconfig: Path | None = Field(
        None,
        description="Kubeconfig file. Default: the files of $KUBECONFIG, ~/.kube/config, the pod's service account.",
    )
    context: str | None = Field(None, description="Context of the kubeconfig. Default: its current context.")
    templates: Path | None = Field(
        None, description="Directory with templates that replace the shipped ones of the same name."
    )
    profile: Literal["native", "poc"] = Field(
        "native", description="Preset for other settings; poc behaves like the first proof of concept."
    )
    pairing_rules: tuple[str, ...] = Field(DEFAULT_RULES, description="Pairing rules, in order, separated by commas.")
    address_spaces: Literal["auto", "crd", "aggregated", "configmap"] = Field(
        "auto", description="Source of AddressSpaces. auto: what the cluster serves."
    )
    user_delivery: Literal["auto", "native", "keycloak"] = Field(
        "auto", description="Delivery of messaging users, unless an Integration sets spec.delivery.user."
    )
    connection_delivery: Literal["auto", "native", "rest"] = Field(
        "auto", description="Delivery of connections, unless an Integration sets spec.delivery.connection."
    )
    poll_seconds: float = Field(
        30.0, ge=1, description="Seconds between two LISTs of AddressSpaces that cannot be watched."
    )
    verification_seconds: float = Field(
        600.0, ge=10, description="Seconds after which state over REST is read again, one request for each pair."
    )
    give_up_seconds: float = Field(
        3600.0, ge=1, description="Seconds that a deleted Integration waits for a server that does not answer."
    )
    syndesis_url: str = Field(
        "http://syndesis-server.{namespace}.svc",
        description="URL of the Syndesis server, without /api/v1; {namespace} is the namespace of the Syndesis.",
    )
    enmasse_namespace: str = Field("enmasse-infra", description="Namespace of EnMasse itself and its Keycloak.")
    enmasse_release: str | None = Field(
        None,
        pattern=r"^0\.\d+(\.\d+)?$",
        description="Release of EnMasse, such as 0.24. Users in Keycloak get the groups of that release.",
    )
    keycloak_url: str | None = Field(None, description="URL of Keycloak. Default: EnMasse's Service or Route.")
    enable_new: bool = Field(False, description="Enable new Integrations.")
    allow_keycloak: bool = Field(
        False,
        description="Allow Integrations to ask for a user in Keycloak. Its admin has power over all tenants.",
    )
    most_offers: int = Field(
        100, ge=0, description="Integrations that AddressSpaces of other namespaces may have offered in one namespace."
    )
    answer_bytes: int = Field(
        2 * 1024 * 1024,
        ge=64 * 1024,
        le=64 * 1024 * 1024,
        description="Largest answer of a Syndesis or Keycloak that is read, unpacked.",
    )
    list_bytes: int = Field(
        16 * 1024 * 1024,
        ge=64 * 1024,
        le=1024 * 1024 * 1024,
        description="Most bytes that are read for one list of a Syndesis or Keycloak: about 1,500 connections.",
    )
    answer_seconds: float = Field(
        15.0, ge=1, le=300, description="Longest time of one answer of a Syndesis or Keycloak, its last byte included."
    )
    page_bytes: int = Field(
        8 * 1024 * 1024,
        ge=2 * 1024 * 1024,
        le=256 * 1024 * 1024,
        description="Largest page of a LIST of the API server. A larger one is requested in smaller pages.",
    )
    workers: int = Field(32, ge=1, le=256, description="Number of pairs that are reconciled at the same time.")
    qps: float = Field(
        0.0,
        ge=0,
        description="Average requests per second. 0: no limit; the API server's priority and fairness applies.",
    )
    burst: int = Field(100, ge=1, description="Requests at once if qps is set.")
    resync_seconds: float = Field(600.0, ge=10, description="Seconds after which every pair is reconciled again.")
    mass_delete_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of AddressSpaces or Syndesis that a LIST may miss before deletion is held.",
    )
    probe_port: int = Field(8080, ge=0, le=65535, description="Port of /healthz. 0: none.")
    metrics_port: int = Field(8081, ge=0, le=65535, description="Port of /metrics and /readyz. 0: none.")
    bind_address: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104  a pod's own
    shutdown_seconds: float = Field(30.0, ge=1, description="Seconds to finish running work after SIGTERM.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level to log.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Format of log lines. auto: json unless stderr is a terminal."
    )

    @property
    def plan_settings(self) -> PlanSettings:
        """The settings that plans depend on."""
        return PlanSettings(
            rules=self.pairing_rules,
            enable_new=self.enable_new,
            user_delivery=self.user_delivery,
            connection_delivery=self.connection_delivery,
            allow_keycloak=self.allow_keycloak,
        )

    @field_validator("pairing_rules", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        return rules_named(text) if isinstance(text, str) else text

    @field_validator("syndesis_url")
    @classmethod
    def _a_url(cls, value: str) -> str:
        value = value.rstrip("/").removesuffix("/api/v1")  # the client adds it
        if not value.startswith(("http://", "https://")) or "{" in value.replace("{namespace}", ""):
            raise ValueError("give a URL; {namespace} stands for the Syndesis's namespace")
        return value


PROFILES: dict[str, dict[str, Any]] = {
    "native": {},
    "poc": {
        "pairing_rules": ("created-by",),
        "address_spaces": "configmap",
        "user_delivery": "keycloak",
        "connection_delivery": "rest",
        "enmasse_namespace": "enmasse",
    },
}
"""What a profile presets; each setting of one's own goes before it."""


class _Preset(PydanticBaseSettingsSource):
    """The settings of the chosen profile, which the sources before this one have named."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Raise: pydantic asks only for all values at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """Return the values that the profile presets."""
        return dict(PROFILES.get(str(self.current_state.get("profile", "native")), {}))


class _PlainEnvironment(EnvSettingsSource):
    """Environment variables hold plain text: lists are split by the validators, not parsed as JSON."""

    def prepare_field_value(self, field_name: str, field: Any, value: Any, value_is_complex: bool) -> Any:
        """Take the text as it is."""
        return value


def load(flags: dict[str, Any], file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force; ``flags`` holds only those that were given. Raises ``SettingsError``."""
    variables = _variables(os.environ if environment is None else environment)
    given, lines = _given(file) if file is not None else ({}, {})

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = (_PlainEnvironment(settings_cls), InitSettingsSource(settings_cls, given))
            return (init_settings, *sources, _Preset(settings_cls))

    try:
        return Loaded(**{key: value for key, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        is_bare = flags.get(name) is not None or name in variables
        where = _where(name, flags, variables, file, lines)
        reason = _reason(first)
        if not is_bare:  # a line of a file does not name the setting
            joined = f"{where}: {name} {reason}" if reason.startswith("must ") else f"{where}: {name}: {reason}"
        else:
            joined = f"{where} {reason}" if reason.startswith("must ") else f"{where}: {reason}"
        raise SettingsError(joined) from None


CLOSE = 0.75
"""Share of a name that has to agree before another is suggested: above it, wrong hints are rare (difflib's ratio)."""


def _nearest(name: str, shown_as: Callable[[str], str] = str) -> str:
    """Return a hint that names the setting that was probably meant, empty if none is close."""
    found = get_close_matches(name, Settings.model_fields, n=1, cutoff=CLOSE)
    return f"; did you mean {shown_as(found[0])}?" if found else ""


def _variable(name: str) -> str:
    return f"{names.ENV_PREFIX}{name.upper()}"


SERVICE_LINK = re.compile(
    r"(^|_)(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$"
)
"""Variables that the kubelet sets in each pod for each Service of the namespace, such as the operator's own
(``FromServices``, pkg/kubelet/envvars/envvars.go @v1.30.0)."""


def _is_service_link(name: str, value: str) -> bool:
    """Return True for a variable of a Service; ``…_PORT`` is told from a setting by its value, a URL."""
    return bool(SERVICE_LINK.search(name)) or (name.endswith("PORT") and "://" in value)


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the settings, by the setting's name. Raises ``SettingsError`` for an unknown one."""
    found = {}
    for variable, value in environment.items():
        if not variable.upper().startswith(names.ENV_PREFIX):
            continue
        name = variable[len(names.ENV_PREFIX) :].lower()
        if name in Settings.model_fields:
            found[name] = variable
        elif not _is_service_link(name.upper(), value):
            raise SettingsError(f"{sanitized(variable, 100)}: no such setting{_nearest(name, _variable)}")
    return found


def _given(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the settings in a file, and the line of each. Raises ``SettingsError``."""
    name = display_name(file)
    try:
        text = read_text(file)
        found = [(line, document) for line, document in documents(text, name) if document is not None]
    except UnreadableFile as error:
        raise SettingsError(str(error)) from error
    if not found:
        return {}, {}
    (line, given), *more = found
    if more:
        raise SettingsError(f"{name}:{more[0][0]}: a second document; settings are one")
    if not isinstance(given, dict):
        kind = "a list" if isinstance(given, list) else "text" if isinstance(given, str) else "one value"
        raise SettingsError(f"{name}:{line}: not a mapping of settings but {kind}")
    lines: dict[str, int] = {}
    for key, line in _keys(text):
        at = f"{name}:{line}"
        if key not in Settings.model_fields:
            raise SettingsError(f"{at}: {sanitized(key, 100)}: no such setting{_nearest(key)}")
        if key in lines:
            raise SettingsError(f"{at}: {key} is set on line {lines[key]} already")
        lines[key] = line
    return given, lines


def _keys(text: str) -> list[tuple[str, int]]:
    """Return the keys of a mapping, each with the line on which it stands."""
    node = compose(text)
    assert node is not None
    return [(str(key.value), key.start_mark.line + 1) for key, _ in node.value]


def _where(
    name: str, flags: dict[str, Any], variables: Mapping[str, str], file: Path | None, lines: dict[str, int]
) -> str:
    """Return the source of a value, in the order in which sources count."""
    if flags.get(name) is not None:
        return f"--{name.replace('_', '-')}"
    if name in variables:
        return variables[name]
    return f"{display_name(file)}:{lines.get(name, 1)}" if file is not None else name


def _reason(error: ErrorDetails) -> str:
    """Return what is wrong with a value, in words of the one who set it."""
    context, got = error.get("ctx") or {}, f"(got {sanitized(error['input'], 60)})"
    match error["type"]:
        case "greater_than_equal":
            return f"must be at least {context['ge']:g} {got}"
        case "less_than_equal":
            return f"must be at most {context['le']:g} {got}"
        case "literal_error":
            known = str(context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"must be one of {known} {got}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"must be a whole number {got}"
        case "float_parsing" | "float_type" | "finite_number":
            return f"must be a number {got}"
        case "bool_parsing" | "bool_type":
            return f"must be true or false {got}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']} {got}"
        case "string_type" | "path_type":
            return f"must be text {got}"
    return sanitized(error["msg"].removeprefix("Value error, "))
