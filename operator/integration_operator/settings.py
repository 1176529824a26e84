"""Settings from flags, environment variables, a file and defaults, in this order, validated at start.

An invalid setting ends the start with one line that names its source and the reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

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
from integration_operator.api.model import DNS_LABEL
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.policies.pairing import DEFAULT_RULES, rules_named
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, documents, read_text

LEASE_SECONDS = 10
"""A process that stands by takes over at most this long after the last renewal that it saw, plus a few requests: less
than 15 s after a SIGKILL. A leader renews every 2 s and stops 6.7 s after the last renewal, so that an API server may
be gone for about 4 s without a change of leader."""


class SettingsError(Exception):
    """A setting is invalid. The message names its source (file and line, variable or flag) and the reason."""


class Settings(BaseSettings):
    """All settings. Each is a flag of ``run``, a key of the settings file and an environment variable."""

    model_config = SettingsConfigDict(env_prefix=names.ENV_PREFIX, extra="forbid", frozen=True)

    kubeconfig: Path | None = Field(
        None,
        description="Kubeconfig file. Default: the files of $KUBECONFIG, ~/.kube/config, the pod's service account.",
    )
    context: str | None = Field(None, description="Context of the kubeconfig. Default: its current context.")
    templates: Path | None = Field(
        None, description="Directory of templates that replace the shipped ones of the same name."
    )
    profile: Literal["native", "poc"] = Field(
        "native", description="Preset of other settings. poc: the settings of the first proof of concept."
    )
    namespaces: tuple[Annotated[str, Field(max_length=63, pattern=DNS_LABEL)], ...] = Field(
        (), description="Namespaces to watch, separated by commas. Default: all."
    )
    pairing_rules: tuple[str, ...] = Field(DEFAULT_RULES, description="Pairing rules in order, separated by commas.")
    address_spaces: Literal["auto", "crd", "aggregated", "configmap"] = Field(
        "auto", description="Source of AddressSpaces. auto: the one that the cluster serves."
    )
    user_delivery: Literal["auto", "native", "keycloak"] = Field(
        "auto", description="Delivery of messaging users, unless an Integration sets spec.delivery.user."
    )
    connection_delivery: Literal["auto", "native", "rest"] = Field(
        "auto", description="Delivery of connections, unless an Integration sets spec.delivery.connection."
    )
    poll_seconds: float = Field(
        30.0, ge=1, description="Seconds between LISTs of AddressSpaces that cannot be watched."
    )
    verification_seconds: float = Field(
        600.0, ge=10, description="Seconds between checks of state over REST, with one request for each pair."
    )
    give_up_seconds: float = Field(
        3600.0, ge=1, description="Seconds for which a deleted Integration waits for a server that does not answer."
    )
    syndesis_url: str = Field(
        "http://syndesis-server.{namespace}.svc",
        description="URL of the Syndesis server, without /api/v1; {namespace} is the namespace of the Syndesis.",
    )
    enmasse_namespace: str = Field("enmasse-infra", description="Namespace of EnMasse and its Keycloak.")
    enmasse_release: str | None = Field(
        None,
        pattern=r"^0\.\d+(\.\d+)?$",
        description="Release of EnMasse, such as 0.24. It sets the groups of users in Keycloak.",
    )
    keycloak_url: str | None = Field(None, description="URL of Keycloak. Default: EnMasse's Service or Route.")
    enable_new: bool = Field(False, description="Enable new Integrations.")
    allow_keycloak: bool = Field(
        False,
        description="Allow Integrations to set spec.delivery.user to keycloak. Its admin has power over all tenants.",
    )
    most_offers: int = Field(
        100, ge=0, description="Maximum unanswered offers in one namespace from AddressSpaces of other namespaces."
    )
    teardowns_per_minute: int = Field(
        1000,
        ge=0,
        description="Maximum pairs taken down in a minute because their AddressSpace or Syndesis is gone; 0: no limit.",
    )
    answer_bytes: int = Field(
        2 * 1024 * 1024,
        ge=64 * 1024,
        le=64 * 1024 * 1024,
        description="Maximum bytes of one answer of Syndesis or Keycloak.",
    )
    list_bytes: int = Field(
        16 * 1024 * 1024,
        ge=64 * 1024,
        le=1024 * 1024 * 1024,
        description="Maximum bytes of one list of Syndesis or Keycloak. The default is about 1,500 connections.",
    )
    answer_seconds: float = Field(
        15.0, ge=1, le=300, description="Maximum seconds for one whole answer of Syndesis or Keycloak."
    )
    page_bytes: int = Field(
        8 * 1024 * 1024,
        ge=2 * 1024 * 1024,
        le=256 * 1024 * 1024,
        description="Maximum bytes of one page of a LIST. A larger page is requested again in smaller ones.",
    )
    workers: int = Field(32, ge=1, le=256, description="Number of pairs that are reconciled concurrently.")
    qps: float = Field(
        0.0,
        ge=0,
        description="Average requests per second. 0: no limit; API priority and fairness applies.",
    )
    burst: int = Field(100, ge=1, description="Burst of requests if qps is set.")
    resync_seconds: float = Field(600.0, ge=10, description="Seconds between reconciles of a pair without changes.")
    mass_delete_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of AddressSpaces or Syndesis that may be missing in a LIST before deletion is held.",
    )
    leader_elect: bool = Field(
        False,
        description="Elect a leader among several processes. Without it, run one process only.",
    )
    lease_namespace: str | None = Field(
        None, description="Namespace of the Lease. Default: that of the pod or of the kubeconfig's context."
    )
    lease_seconds: int = Field(
        LEASE_SECONDS,
        ge=3,
        le=300,
        description="Seconds after the last renewal until another process may lead. Set it alike in all processes.",
    )
    admission: bool = Field(
        False, description="Answer admission reviews, so that users are warned when they apply an Integration."
    )
    admission_port: int = Field(9443, ge=1, le=65535, description="Port on which reviews are answered.")
    admission_configuration: str = Field(
        names.FIELD_MANAGER, description="Name of the ValidatingWebhookConfiguration that leads to the port."
    )
    admission_host: str | None = Field(
        None,
        description="Host name by which API servers reach the port. Default: that of the Service in deploy/.",
    )
    admission_certificate: Path | None = Field(
        None,
        description="Directory with tls.crt and tls.key, read again when they change. Default: each process creates a "
        "certificate, and adds it to the ValidatingWebhookConfiguration.",
    )
    probe_port: int = Field(8080, ge=0, le=65535, description="Port of /healthz. 0: none.")
    metrics_port: int = Field(8081, ge=0, le=65535, description="Port of /metrics, /readyz and /status. 0: none.")
    status_page: bool = Field(
        False, description="Serve /status, a page with the Integrations and the state of the operator."
    )
    metrics_authentication: bool = Field(
        False,
        description="Require a bearer token for /metrics and /status that the API server accepts and that may get the "
        "path, and serve the port over TLS.",
    )
    metrics_certificate: Path | None = Field(
        None,
        description="Directory with tls.crt and tls.key for the metrics port, read again when they change. Default: "
        "with metrics_authentication each process creates a certificate, else no TLS.",
    )
    bind_address: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104  a pod's own
    shutdown_seconds: float = Field(30.0, ge=1, description="Seconds for running reconciles to finish after SIGTERM.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum level of log lines.")
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

    @field_validator("namespaces", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("syndesis_url")
    @classmethod
    def _a_url(cls, value: str) -> str:
        value = value.rstrip("/").removesuffix("/api/v1")  # the client adds it
        if not value.startswith(("http://", "https://")) or "{" in value.replace("{namespace}", ""):
            raise ValueError("must be a URL; {namespace} is replaced by the namespace of the Syndesis")
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
"""Presets of each profile; explicit settings override them."""


class _Preset(PydanticBaseSettingsSource):
    """The settings of the selected profile."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Raise ``NotImplementedError``: pydantic reads only all values at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """Return the settings of the profile."""
        return dict(PROFILES.get(str(self.current_state.get("profile", "native")), {}))


class _PlainEnvironment(EnvSettingsSource):
    """Environment variables with plain text: validators split lists, pydantic does not parse JSON."""

    def prepare_field_value(self, field_name: str, field: Any, value: Any, value_is_complex: bool) -> Any:
        """Return the text unchanged."""
        return value


def load(flags: dict[str, Any], file: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the effective settings; ``flags`` has only flags that are set. Raises ``SettingsError``."""
    variables = _variables(os.environ if environment is None else environment)
    values, lines = _read_file(file) if file is not None else ({}, {})

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
            sources = (_PlainEnvironment(settings_cls), InitSettingsSource(settings_cls, values))
            return (init_settings, *sources, _Preset(settings_cls))

    try:
        return Loaded(**{key: value for key, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        source = _source(name, flags, variables, file, lines)
        reason = _reason(first)
        if flags.get(name) is None and name not in variables:  # a line of a file does not name the setting
            source = f"{source}: {name}"
        raise SettingsError(f"{source} {reason}" if reason.startswith("must ") else f"{source}: {reason}") from None


MIN_SIMILARITY = 0.75
"""Minimum similarity of a suggested name (difflib's ratio). Above it, wrong suggestions are rare."""


def _suggestion(name: str, format_name: Callable[[str], str] = str) -> str:
    """Return a suggestion of a setting with a similar name, empty if there is none."""
    matches = get_close_matches(name, Settings.model_fields, n=1, cutoff=MIN_SIMILARITY)
    return f"; did you mean {format_name(matches[0])}?" if matches else ""


def _variable(name: str) -> str:
    return f"{names.ENV_PREFIX}{name.upper()}"


SERVICE_LINK = re.compile(
    r"(^|_)(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$"
)
"""Variables that the kubelet sets in each pod for the Services of the namespace, such as that of the operator
(``FromServices``, pkg/kubelet/envvars/envvars.go @v1.30.0)."""


def _is_service_link(name: str, value: str) -> bool:
    """Return True for a variable of a Service; the value of ``…_PORT`` is a URL, unlike that of a setting."""
    return bool(SERVICE_LINK.search(name)) or (name.endswith("PORT") and "://" in value)


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables by setting. Raises ``SettingsError`` for an unknown one."""
    variables = {}
    for variable, value in environment.items():
        if not variable.upper().startswith(names.ENV_PREFIX):
            continue
        name = variable[len(names.ENV_PREFIX) :].lower()
        if name in Settings.model_fields:
            variables[name] = variable
        elif not _is_service_link(name.upper(), value):
            raise SettingsError(f"{sanitized(variable, 100)}: no such setting{_suggestion(name, _variable)}")
    return variables


def _read_file(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the settings in a file and their lines. Raises ``SettingsError``."""
    name = display_name(file)
    try:
        text = read_text(file)
        contents = [(line, document) for line, document in documents(text, name) if document is not None]
    except UnreadableFile as error:
        raise SettingsError(str(error)) from error
    if not contents:
        return {}, {}
    (line, values), *more = contents
    if more:
        raise SettingsError(f"{name}:{more[0][0]}: a second document; a settings file has one")
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else "text" if isinstance(values, str) else "one value"
        raise SettingsError(f"{name}:{line}: must be a mapping of settings, not {kind}")
    lines: dict[str, int] = {}
    for key, line in _keys(text):
        position = f"{name}:{line}"
        if key not in Settings.model_fields:
            raise SettingsError(f"{position}: {sanitized(key, 100)}: no such setting{_suggestion(key)}")
        if key in lines:
            raise SettingsError(f"{position}: {key} is already set on line {lines[key]}")
        lines[key] = line
    return values, lines


def _keys(text: str) -> list[tuple[str, int]]:
    """Return the keys of a mapping and their lines."""
    node = compose(text)
    assert node is not None
    return [(str(key.value), key.start_mark.line + 1) for key, _ in node.value]


def _source(
    name: str, flags: dict[str, Any], variables: Mapping[str, str], file: Path | None, lines: dict[str, int]
) -> str:
    """Return the source of the effective value: flag, variable, or file and line."""
    if flags.get(name) is not None:
        return f"--{name.replace('_', '-')}"
    if name in variables:
        return variables[name]
    return f"{display_name(file)}:{lines.get(name, 1)}" if file is not None else name


def _reason(error: ErrorDetails) -> str:
    """Return the reason for an invalid value."""
    context, got = error.get("ctx") or {}, f"(got {sanitized(error['input'], 60)})"
    match error["type"]:
        case "greater_than_equal":
            return f"must be at least {context['ge']:g} {got}"
        case "less_than_equal":
            return f"must be at most {context['le']:g} {got}"
        case "literal_error":
            choices = str(context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"must be one of {choices} {got}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"must be a whole number {got}"
        case "float_parsing" | "float_type" | "finite_number":
            return f"must be a number {got}"
        case "bool_parsing" | "bool_type":
            return f"must be true or false {got}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']} {got}"
        case "string_type" | "path_type" | "tuple_type" as type_:
            return f"must be {'a list, or text with commas' if type_ == 'tuple_type' else 'text'} {got}"
    return sanitized(error["msg"].removeprefix("Value error, "))
