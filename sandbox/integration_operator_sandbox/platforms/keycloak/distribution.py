"""Keycloak's distribution, built once for its options.

``kc.sh build`` takes half a minute of each first ``start-dev``. As it is done once here, any number of servers can
start from the same entry at the same time, each with data of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from integration_operator_sandbox.java.distribution import Distribution, run_program
from integration_operator_sandbox.java.programs import find_java
from integration_operator_sandbox.progress import Progress

VERSION = "26.7.3"
BUILD_OPTIONS = ("--http-relative-path=/auth", "--db=dev-file")
"""EnMasse's Keycloak serves under ``/auth``; each server has its data in a file of its own."""
KEYCLOAK = Distribution(
    name="Keycloak",
    version=VERSION,
    artifact=f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip",
    file=f"keycloak-quarkus-dist-{VERSION}.zip",
    digest="27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f",
    top=f"keycloak-{VERSION}",
    megabytes=170,
    options=BUILD_OPTIONS,
)
OPENED = ("java.util", "java.util.concurrent", "java.security", "java.lang")  # as kc.sh opens them to Quarkus


def provide(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of a Keycloak that is ready to start. Fetch and build it first if it is not cached."""
    return KEYCLOAK.provide(environ, prepare=_build)


def command(java: Path, home: Path, *arguments: str, properties: Sequence[str] = ()) -> list[str]:
    """Return Keycloak's command line without ``kc.sh``, which runs Java as a child that would survive its death."""
    return [
        str(java),
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it starts in two thirds of the time, and need not run fast
        "-Duser.language=en",
        "-Duser.country=US",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
        "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "-Dpicocli.disable.closures=true",
        *properties,
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        *arguments,
    ]


def _build(home: Path, environ: Mapping[str, str]) -> None:
    with Progress(Console(stderr=True)).shown(f"Building Keycloak {VERSION} for its options; half a minute, once."):
        building = command(find_java("Keycloak", environ), home, "build", *BUILD_OPTIONS)
        # KC_ variables are for another Keycloak of the user.
        others = {name: value for name, value in environ.items() if not name.startswith("KC_")}
        run_program(building, home, others, "Keycloak could not be built for its options")
