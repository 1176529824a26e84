"""Settings: flags before environment before file before defaults, checked before anything starts.

A setting that is wrong ends the start with one line that says where it stands and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from yaml import MarkedYAMLError, YAMLError, compose

from integration_operator.api import names
from integration_operator.domain.pairing import DEFAULT_RULES, rules_named


class SettingsError(Exception):
    """A setting is wrong; the message says where it stands (file and line, variable or flag) and why."""


class Settings(BaseSettings):
    """Everything that can be set. Each is a flag of ``run``, a key of the file and an environment variable."""

    model_config = SettingsConfigDict(env_prefix=names.ENV_PREFIX, extra="forbid", frozen=True)

    kubeconfig: Path | None = Field(
        None,
        description="Kubeconfig file. Default: the files of $KUBECONFIG, ~/.kube/config, the pod's service account.",
    )
    context: str | None = Field(None, description="Context of the kubeconfig. Default: its current context.")
    templates: Path | None = Field(None, description="Directory whose templates take the place of the shipped ones.")
    profile: Literal["native", "poc"] = Field(
        "native", description="Preset of the settings below; poc is what the first proof of concept did."
    )
    pairing_rules: tuple[str, ...] = Field(DEFAULT_RULES, description="Pairing rules, in order.")
    address_spaces: Literal["auto", "crd", "aggregated", "configmap"] = Field(
        "auto", description="Where AddressSpaces are read; auto takes what the cluster serves."
    )
    user_delivery: Literal["auto", "native", "keycloak"] = Field(
        "auto", description="How messaging users are made, where an Integration does not say."
    )
    connection_delivery: Literal["auto", "native", "rest"] = Field(
        "auto", description="How connections are made, where an Integration does not say."
    )
    poll_seconds: float = Field(30.0, ge=1, description="Period of asking for AddressSpaces that cannot be watched.")
    verification_seconds: float = Field(
        600.0, ge=10, description="Period after which what was made over REST is looked at again, one read a pair."
    )
    give_up_seconds: float = Field(
        3600.0, ge=1, description="How long a deleted Integration waits for a server that does not answer."
    )
    syndesis_url: str = Field(
        "http://syndesis-server.{namespace}.svc", description="Syndesis's server of a namespace, for REST."
    )
    enmasse_namespace: str = Field("enmasse-infra", description="EnMasse's own namespace, where its Keycloak is.")
    enmasse_release: str | None = Field(
        None,
        pattern=r"^0\.\d+(\.\d+)?$",
        description="EnMasse's release, as 0.24: with it users in Keycloak get that release's groups exactly.",
    )
    keycloak_url: str | None = Field(None, description="Keycloak, where it is not behind EnMasse's Service or Route.")
    enable_new: bool = Field(False, description="Integrations start enabled.")
    workers: int = Field(32, ge=1, le=256, description="Pairs worked on at the same time.")
    qps: float = Field(0.0, ge=0, description="Requests a second on average; 0 leaves it to the server's own fairness.")
    burst: int = Field(100, ge=1, description="Requests at once, where qps limits them.")
    resync_seconds: float = Field(600.0, ge=10, description="Period after which everything is looked at again.")
    mass_delete_share: float = Field(
        0.5, ge=0, le=1, description="Largest share of what is there that may vanish from one LIST and be taken down."
    )
    probe_port: int = Field(8080, ge=0, le=65535, description="Port of /healthz; 0 serves none.")
    metrics_port: int = Field(8081, ge=0, le=65535, description="Port of /metrics and /readyz; 0 serves none.")
    bind_address: str = Field("0.0.0.0", description="Address that the ports are bound to.")  # noqa: S104  a pod's own
    shutdown_seconds: float = Field(30.0, ge=1, description="Time to finish what is in flight after SIGTERM.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto is json where nobody looks on.")

    @field_validator("pairing_rules", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        return rules_named(text) if isinstance(text, str) else text

    @field_validator("syndesis_url")
    @classmethod
    def _a_url(cls, value: str) -> str:
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
        """Not asked for: all values are given at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """The values that the profile presets."""
        return dict(PROFILES.get(str(self.current_state.get("profile", "native")), {}))


class _PlainEnvironment(EnvSettingsSource):
    """Environment variables hold plain text: lists are split by the validators, not parsed as JSON."""

    def prepare_field_value(self, field_name: str, field: Any, value: Any, value_is_complex: bool) -> Any:
        """Take the text as it is."""
        return value


def load(flags: dict[str, Any], file: Path | None) -> Settings:
    """The settings in force; ``flags`` holds only those that were given. Raises ``SettingsError``."""

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
            sources: list[PydanticBaseSettingsSource] = [init_settings, _PlainEnvironment(settings_cls)]
            if file is not None:
                sources.append(YamlConfigSettingsSource(settings_cls, yaml_file=file))
            return (*sources, _Preset(settings_cls))

    try:
        lines = _lines(file) if file is not None else {}
        return Loaded(**{key: value for key, value in flags.items() if value is not None})
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{file}:{line}: not YAML: {error.problem}") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        reason = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        raise SettingsError(f"{_where(name, flags, file, lines)}: {reason}") from None
    except (YAMLError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"{file}:1: not a mapping of settings ({error})") from error


def _lines(file: Path) -> dict[str, int]:
    """The line on which each setting of the file stands."""
    node = compose(file.read_text())
    if node is None:
        return {}
    return {key.value: key.start_mark.line + 1 for key, _ in node.value}


def _where(name: str, flags: dict[str, Any], file: Path | None, lines: dict[str, int]) -> str:
    if flags.get(name) is not None:
        return f"--{name.replace('_', '-')}"
    if file is not None and name in lines:
        return f"{file}:{lines[name]}"
    return f"{names.ENV_PREFIX}{name.upper()}"
