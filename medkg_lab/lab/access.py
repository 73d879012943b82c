"""How a producer outside of the lab gets in: address, account, password file, and what each client is set up with."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import credentials
from medkg_lab.broker.address import producer_password_file
from medkg_lab.broker.embedded.scram import MECHANISM
from medkg_lab.broker.errors import BadBrokerSetting
from medkg_lab.broker.topics import Topics
from medkg_lab.lab.facade import Lab
from medkg_lab.port_use import require_own

_PROTOCOL = "SASL_PLAINTEXT"


@dataclass(frozen=True)
class Access:
    """What a producer needs; without authentication there is no mechanism, user and password file.

    `lasting` says that the password outlives the lab's next start; `clients` has a text to paste for each client.
    """

    bootstrap: str
    topic: str
    protocol: str
    mechanism: str | None
    user: str | None
    password_file: str | None
    lasting: bool
    clients: dict[str, str]


def producer_access(lab: Lab, show_password: bool = False) -> Access:
    """What a producer of this lab needs. Raises BadBrokerSetting where the broker is not the embedded one, and
    PortTakenByOther, PasswordUnusable."""
    broker = lab.settings.broker
    if broker.engine != "embedded":
        raise BadBrokerSetting(detail=f"who may write to a broker of engine {broker.engine} is decided there")
    address = lab.bootstrap
    if address.own_port is not None:
        require_own(address.own_port, "the broker")
    topic = Topics(broker.topic_prefix).requests
    if broker.authentication == "none":
        plain = {"kcat": f"kcat -P -b {address} -t {topic}", "librdkafka": f"bootstrap.servers={address}"}
        return Access(str(address), topic, "PLAINTEXT", None, None, None, True, plain)
    path = producer_password_file(lab.settings.broker, lab.locations)
    password = credentials.password(path)
    clients = _texts(str(address), topic, path, password if show_password else f"(the text in {path})")
    clients["kcat"] = f"kcat -F <({_command(lab)}) -P -t {topic}"
    lasting = broker.producer_password_file is not None
    user = credentials.PRODUCER_ACCOUNT
    return Access(str(address), topic, _PROTOCOL, MECHANISM, user, str(path), lasting, clients)


def _command(lab: Lab) -> str:
    """What prints kcat's configuration: so the password is not an argument that other users of the machine could see."""
    options = ["--client", "librdkafka", "--show-password", *lab.locations.arguments()]
    return shlex.join(["medkg-lab", "broker", "access", *options])


def _texts(bootstrap: str, topic: str, path: Path, password: str) -> dict[str, str]:
    user = credentials.PRODUCER_ACCOUNT
    common = f"bootstrap.servers={bootstrap}\nsecurity.protocol={_PROTOCOL}\nsasl.mechanism={MECHANISM}\n"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    read = f"pathlib.Path({str(path)!r}).read_text()"
    python = (
        f"bootstrap_servers={bootstrap!r}, security_protocol={_PROTOCOL!r}, sasl_mechanism={MECHANISM!r},\n"
        f"    sasl_plain_username={user!r}, sasl_plain_password={read},\n"
    )
    return {
        "librdkafka": f"{common}sasl.username={user}\nsasl.password={password}",
        "java": f'{common}sasl.jaas.config={login} username="{user}" password="{password}";',
        "confluent-kafka": (
            "import pathlib\n\nimport confluent_kafka\n\nproducer = confluent_kafka.Producer({\n"
            f'    "bootstrap.servers": {bootstrap!r}, "security.protocol": {_PROTOCOL!r},\n'
            f'    "sasl.mechanism": {MECHANISM!r}, "sasl.username": {user!r},\n'
            f'    "sasl.password": {read},\n}})\nproducer.produce({topic!r}, value)\nproducer.flush()'
        ),
        "aiokafka": (
            "import pathlib\n\nimport aiokafka\n\nproducer = aiokafka.AIOKafkaProducer(\n"
            f"    {python})\nawait producer.start()\nawait producer.send_and_wait({topic!r}, value)"
        ),
        "kafka-python": (
            "import pathlib\n\nimport kafka\n\nproducer = kafka.KafkaProducer(\n"
            f"    {python})\nproducer.send({topic!r}, value).get()"
        ),
    }
