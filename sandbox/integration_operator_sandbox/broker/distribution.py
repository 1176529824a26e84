"""Artemis's distribution, and the command line that starts a broker from it."""

from __future__ import annotations

from pathlib import Path

from integration_operator_sandbox.java.distribution import Distribution

VERSION = "2.40.0"
ARTEMIS = Distribution(
    name="Artemis",
    version=VERSION,
    artifact=f"org.apache.activemq:apache-artemis:{VERSION}:zip:bin",
    file=f"apache-artemis-{VERSION}-bin.zip",
    digest="09f0445a4c3cd5eaec1d3bfbe2acb20459d21fe6edac6e3c425916a6a4da9189",
    top=f"apache-artemis-{VERSION}",
    megabytes=48,
)


def command(java: Path, home: Path, instance: Path) -> list[str]:
    """Return Artemis's command line without its shell script; all files of the broker are in ``instance``."""
    etc = instance / "etc"
    return [
        str(java),
        "-Xms32m",
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it starts faster, and need not run fast
        "-Duser.language=en",
        "-Duser.country=US",
        f"-Djava.io.tmpdir={instance}",
        f"-Djava.security.auth.login.config={etc / 'login.config'}",
        f"-Dartemis.home={home}",
        f"-Dartemis.instance={instance}",
        f"-Dartemis.instance.etc={etc}",
        f"-Ddata.dir={instance / 'data'}",
        "-Dlog4j2.configurationFile=log4j2.properties",
        "-cp",
        f"{home / 'lib' / 'artemis-boot.jar'}:{etc}",
        "org.apache.activemq.artemis.boot.Artemis",
        "run",
    ]
