"""The settings of a lab: `settings.yaml` in its config folder, all of it optional, unknown keys refused."""

import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medkg_lab.errors import LabError
from medkg_lab.locations import Locations


class SettingsInvalid(LabError):
    """{path} is wrong: {detail}. Mend the file, or remove it to get the defaults; the reference lists every setting."""


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSettings(Section):
    """Which Kafka-protocol broker the lab uses."""

    engine: Literal["embedded", "external"] = Field(
        default="embedded", description="`embedded` starts the lab's own broker; `external` starts none."
    )
    bootstrap: str = Field(default="", description="Address of an external cluster, `host:port[,host:port]`.")
    topic_prefix: str = Field(
        default="", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic's name, for shared clusters."
    )


class PdfSettings(Section):
    """How PDFs become text."""

    tool: Literal["docvortex", "mineru"] = Field(
        default="docvortex", description="`docvortex` runs in a subprocess; `mineru` asks a MinerU server."
    )
    base_url: str = Field(default="http://127.0.0.1:8765", description="Address of the MinerU server.")
    tier: Literal["flash", "standard"] = Field(default="flash", description="MinerU's tier; `standard` needs a GPU.")
    timeout_seconds: float = Field(default=120, gt=0, le=3600, description="Wall-clock seconds one PDF may take.")
    memory_mib: int = Field(default=4096, ge=256, description="Address space in MiB that the conversion may use.")
    max_bytes: int = Field(default=200 * 1024 * 1024, gt=0, description="Size in bytes of the largest PDF accepted.")


class Settings(Section):
    """Everything that can be set."""

    profile: str = Field(
        default="cpu", pattern=r"^[a-z][a-z0-9-]*$", description="Which profile chooses the stage implementations."
    )
    broker: BrokerSettings = Field(default=BrokerSettings(), description="The broker.")
    pdf: PdfSettings = Field(default=PdfSettings(), description="PDF conversion.")
    lease_seconds: float = Field(
        default=10.0, ge=1, le=600, description="Seconds without a heartbeat after which a batch is taken back."
    )
    stage_deadline_seconds: float = Field(
        default=600.0, ge=1, description="Seconds after which a running stage no longer renews its lease."
    )
    batch_limit: int = Field(default=48, ge=1, le=512, description="Jobs in one batch at most.")
    allowed_roots: tuple[Path, ...] = Field(
        default=(), description="Folders from which submissions may name files by `file://`."
    )
    sources: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Settings of a source adapter, such as its `base_url`."
    )

    def bootstrap(self, locations: Locations) -> str:
        """Where the broker listens."""
        return self.broker.bootstrap if self.broker.engine == "external" else f"127.0.0.1:{ports(locations)['broker']}"


def load(locations: Locations) -> Settings:
    """Read the lab's settings. Raises SettingsInvalid."""
    path = locations.config / "settings.yaml"
    if not path.exists():
        return Settings()
    try:
        given = yaml.safe_load(path.read_text()) or {}
        return Settings.model_validate(given)
    except yaml.YAMLError as error:
        raise SettingsInvalid(path=path, detail=" ".join(str(error).split())) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsInvalid(path=path, detail=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def ports(locations: Locations) -> dict[str, int]:
    """The TCP ports of this lab: free ones are chosen once and kept, so that addresses outlive a restart."""
    path = locations.state / "ports.json"
    try:
        return {name: int(port) for name, port in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        chosen = dict(zip(("broker", "dagster"), _free_ports(2), strict=True))
        write_private(path, json.dumps(chosen))
        return ports(locations)


def dagster_token(locations: Locations) -> str:
    """The token that opens Dagster's pages; made once per lab and readable by its owner alone."""
    path = locations.state / "dagster.token"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        write_private(path, secrets.token_urlsafe(32))
        return dagster_token(locations)


def write_private(path: Path, text: str) -> None:
    """Create `path` with mode 0600, complete or not at all; an existing file is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first: its value stands
    finally:
        temporary.unlink()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
