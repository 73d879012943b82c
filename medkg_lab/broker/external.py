"""A Kafka-protocol cluster that someone else runs, as an engine of the lab."""

from dataclasses import dataclass

from medkg_lab.broker.address import PASSWORD_BYTES, Address, login
from medkg_lab.broker.engine import EngineKind
from medkg_lab.broker.errors import BadBrokerSetting
from medkg_lab.files import read_text
from medkg_lab.locations import Locations
from medkg_lab.settings import BrokerSecurity, Settings, SettingsInvalid


@dataclass(frozen=True)
class ExternalEngine:
    """A Kafka-protocol cluster that someone else runs."""

    address: Address
    name: str = "external"

    def durability(self) -> str:
        """What an acknowledged event survives."""
        return "acks=all: what the external cluster promises for it"

    def details(self) -> dict[str, str]:
        """How the connection is secured."""
        return {"access": dict(self.address.security).get("security.protocol", "plaintext")}

    def argv(self, port: str | None = None) -> None:
        """None: it is not ours to run."""
        return


def external_engine(locations: Locations, settings: Settings) -> ExternalEngine:
    """The cluster that `settings` name. Raises BadBrokerSetting, and SettingsInvalid when a named password file is missing."""
    bootstrap = settings.broker.bootstrap
    if not bootstrap.strip():
        raise BadBrokerSetting(detail="the external engine needs the address of the cluster in broker.bootstrap")
    return ExternalEngine(Address(bootstrap, tuple(_security(settings.broker.security).items())))


def _security(given: BrokerSecurity) -> dict[str, str]:
    found = {}
    if given.protocol.startswith("sasl"):
        try:
            password = read_text(given.password_file, PASSWORD_BYTES).strip() if given.password_file else ""
        except OSError as error:
            raise SettingsInvalid(path=given.password_file, detail=f"the password cannot be read: {error}") from None
        found = login(given.protocol, given.mechanism, given.username, password)
    elif given.protocol != "plaintext":
        found = {"security.protocol": given.protocol}
    files = {"ca": given.ca_file, "certificate": given.certificate_file, "key": given.key_file}
    return found | {f"ssl.{name}.location": str(path) for name, path in files.items() if path is not None}


EXTERNAL = EngineKind(external_engine, runs_here=False)
