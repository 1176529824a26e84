"""The files that an Artemis reads: acceptors, addresses, permissions, users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from integration_operator_sandbox.localhost.certificates import KeyPair
from integration_operator_sandbox.localhost.machine import LOOPBACK, write_private

PLAIN = "plain"
"""The acceptor without TLS, which every broker has."""

SEND, RECEIVE = "send", "recv"

BROKER = """\
<configuration xmlns="urn:activemq">
 <core xmlns="urn:activemq:core">
  <name>sandbox</name>
  <persistence-enabled>false</persistence-enabled>
  <journal-directory>data</journal-directory>
  <security-enabled>true</security-enabled>
  <!-- A user that is changed or deleted is so at once. -->
  <authentication-cache-size>0</authentication-cache-size>
  <authorization-cache-size>0</authorization-cache-size>
  <jmx-management-enabled>false</jmx-management-enabled>
  <global-max-size>16777216</global-max-size>
  <acceptors>
{acceptors}
  </acceptors>
  <security-settings>
   <security-setting match="#">
    <permission type="send" roles="send"/>
    <permission type="consume" roles="recv"/>
    <permission type="browse" roles="recv"/>
   </security-setting>
  </security-settings>
  <address-settings>
   <!-- As in EnMasse, an address exists only if its owner created it. -->
   <address-setting match="#">
    <auto-create-addresses>false</auto-create-addresses>
    <auto-create-queues>false</auto-create-queues>
   </address-setting>
  </address-settings>
  <addresses>
{addresses}
  </addresses>
 </core>
</configuration>
"""

BOOTSTRAP = """\
<broker xmlns="http://activemq.apache.org/schema">
 <jaas-security domain="activemq"/>
 <server configuration={broker}/>
</broker>
"""

LOGIN = """\
activemq {
  org.apache.activemq.artemis.spi.core.security.jaas.PropertiesLoginModule required
    reload=true
    org.apache.activemq.jaas.properties.user="users.properties"
    org.apache.activemq.jaas.properties.role="roles.properties";
};
"""

MANAGEMENT = '<management-context xmlns="http://activemq.apache.org/schema"/>\n'
"""No management over JMX; the file must exist."""

LOGGING = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1} %m%n
"""


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of the broker: the password, and what it may do on all addresses (``send``, ``recv``)."""

    password: str = field(repr=False)
    operations: frozenset[str] = frozenset({SEND, RECEIVE})


def write_configuration(
    instance: Path, ports: Mapping[str, int], certificates: Mapping[str, KeyPair], addresses: Sequence[str]
) -> None:
    """Write the files of a broker with one acceptor for each port; one with a certificate requires TLS."""
    etc = instance / "etc"
    for directory in (etc, instance / "lock"):  # Artemis locks a file in the second one, and does not create it
        directory.mkdir(parents=True, exist_ok=True)
    acceptors = []
    for name, port in ports.items():
        options = "protocols=AMQP;saslMechanisms=PLAIN"
        if name in certificates:
            pair = certificates[name]
            write_private(etc / f"{name}.pem", f"{pair.key}{pair.certificate}")
            options += f";sslEnabled=true;keyStoreType=PEM;keyStorePath={etc / f'{name}.pem'}"
        acceptors.append(f'   <acceptor name="{name}">tcp://{LOOPBACK}:{port}?{options}</acceptor>')
    queues = [f'   <address name="{name}"><anycast><queue name="{name}"/></anycast></address>' for name in addresses]
    broker = etc / "broker.xml"
    broker.write_text(BROKER.format(acceptors="\n".join(acceptors), addresses="\n".join(queues)))
    (etc / "bootstrap.xml").write_text(BOOTSTRAP.format(broker=quoteattr(broker.as_uri())))
    (etc / "management.xml").write_text(MANAGEMENT)
    (etc / "login.config").write_text(LOGIN)
    (etc / "log4j2.properties").write_text(LOGGING)


def write_users(instance: Path, users: Mapping[str, BrokerUser]) -> None:
    """Write who can log in. A running broker reads the files again at the next log-in."""
    roles = {
        operation: ",".join(name for name, user in users.items() if operation in user.operations)
        for operation in (SEND, RECEIVE)
    }
    files = {
        "users.properties": {name: user.password for name, user in users.items()},
        "roles.properties": {operation: names for operation, names in roles.items() if names},
    }
    for file, values in files.items():
        text = "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in values.items())
        following = instance / "etc" / f"{file}.next"
        write_private(following, text)
        following.rename(instance / "etc" / file)  # the broker never reads a half-written file


def _escaped(text: str) -> str:
    """Return text for a properties file: every character that is not plain as its code."""
    return "".join(c if (c.isalnum() and c.isascii()) or c in "-_.,@" else f"\\u{ord(c):04x}" for c in text)
