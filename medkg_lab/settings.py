"""The settings of a lab: `settings.yaml` in its config folder, all of it optional, unknown keys refused."""

from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medkg_lab import plugins, yaml_source
from medkg_lab.errors import LabError
from medkg_lab.locations import SETTINGS, Locations
from medkg_lab.logs import LogFormat

BROKERS = "medkg_lab.brokers"
"""The entry-point group of broker engines."""
MAX_MIB = 1024 * 1024
MAX_DAYS = 36_500.0


class SettingsInvalid(LabError):
    """{path} is wrong: {detail}. Fix the file, or remove it to get the defaults; the reference lists every setting."""


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSecurity(Section):
    """How the lab's clients reach an external cluster that is not open to everyone."""

    protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="Kafka's `security.protocol`."
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="Kafka's `sasl.mechanism`, for the two protocols with SASL."
    )
    username: str = Field(default="", description="The account, for the two protocols with SASL.")
    password_file: Path | None = Field(default=None, description="File with the account's password alone in it.")
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust, in PEM; without it those of the system."
    )
    certificate_file: Path | None = Field(default=None, description="The lab's own certificate, in PEM.")
    key_file: Path | None = Field(default=None, description="The key of the lab's own certificate, in PEM.")


class BrokerSettings(Section):
    """Which Kafka-protocol broker the lab uses."""

    engine: str = Field(
        default="embedded",
        description="`embedded` starts the lab's own broker, `redpanda` an installed Redpanda; `external` starts none. "
        "Packages may bring further ones.",
    )
    bootstrap: str = Field(default="", description="Address of an external cluster, `host:port[,host:port]`.")
    security: BrokerSecurity = Field(default=BrokerSecurity(), description="Access to an external cluster.")
    topic_prefix: str = Field(
        default="", pattern=r"^[A-Za-z0-9._-]*$", description="Put before every topic's name, for shared clusters."
    )
    authentication: Literal["scram", "none"] = Field(
        default="scram",
        description="How the embedded broker knows its clients: by SCRAM-SHA-256, or, with `none`, not at all.",
    )
    producer_password_file: Path | None = Field(
        default=None,
        description="File with a lasting password for account `producer`, relative to the config folder; without it a new one "
        "is made at each start.",
    )
    auto_create_topics: bool = Field(
        default=True, description="Whether the embedded broker makes a topic that a client asks for, as Kafka does."
    )
    other_topics_mib: int = Field(
        default=4096, ge=1, description="Size in MiB of all topics together that are not the lab's, embedded broker."
    )
    redpanda_home: Path | None = Field(
        default=None, description="Folder with an unpacked Redpanda, such as `/opt/redpanda`."
    )
    redpanda_binary: Path | None = Field(
        default=None, description="Redpanda's program itself, when it is not in `redpanda_home`."
    )
    redpanda_memory_mib: int = Field(
        default=1024, ge=512, le=MAX_MIB, description="Memory in MiB that Redpanda may use."
    )
    redpanda_start_seconds: float = Field(
        default=60.0, gt=0, le=600, description="Seconds within which Redpanda must be ready."
    )

    @field_validator("engine")
    @classmethod
    def _is_there(cls, name: str) -> str:
        if name not in (there := plugins.names(BROKERS)):
            raise ValueError(f"there is no engine {name!r}; there are {', '.join(there)}")
        return name

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sasl" in given:
            raise ValueError("sasl has become authentication: scram (now the default) or none; remove sasl")
        return given


class PdfSettings(Section):
    """How PDFs become text."""

    tool: Literal["docvortex", "mineru"] = Field(
        default="docvortex", description="`docvortex` runs in a subprocess; `mineru` asks a MinerU server."
    )
    base_url: str = Field(default="http://127.0.0.1:8765", description="Address of the MinerU server.")
    tier: Literal["flash", "standard"] = Field(default="flash", description="MinerU's tier; `standard` needs a GPU.")
    ocr_pages: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="The most scanned pages of a PDF that are read by OCR where the extra `ocr` is installed; 0 reads none.",
    )
    timeout_seconds: float = Field(
        default=120,
        gt=0,
        le=3600,
        description="Wall-clock seconds one PDF may take, besides 60 for each page that OCR reads.",
    )
    memory_mib: int = Field(
        default=4096, ge=256, le=MAX_MIB, description="Address space in MiB that the conversion may use."
    )
    max_bytes: int = Field(default=200 * 1024 * 1024, gt=0, description="Size in bytes of the largest PDF accepted.")


class RecordingSettings(Section):
    """The record of what was exchanged with the outside, from which an incident can be run again."""

    enabled: bool = Field(default=True, description="Whether exchanges with the outside are kept.")
    max_mib: int = Field(
        default=1024, ge=8, le=MAX_MIB, description="Size in MiB of all that is kept; the oldest goes first."
    )
    max_days: float = Field(default=30.0, gt=0, le=MAX_DAYS, description="Days after which a recorded exchange goes.")
    max_answer_mib: int = Field(
        default=64,
        ge=0,
        le=MAX_MIB,
        description="Size in MiB beyond which an answer's bytes are not kept, only their hash.",
    )


class DagsterSettings(Section):
    """How much history Dagster's pages keep; the ledger keeps all of it."""

    keep_runs: int = Field(default=20_000, ge=10, description="Runs that are kept at most, at about 22 KB each.")
    keep_days: float = Field(default=30.0, gt=0, le=MAX_DAYS, description="Days after which a finished run goes.")


class BackupSettings(Section):
    """Backups of the whole lab."""

    folder: Path | None = Field(
        default=None,
        description="Where backups go, best on another disk; without it `backups` below the lab's data folder.",
    )
    every_hours: float | None = Field(
        default=None,
        gt=0,
        le=MAX_DAYS * 24,
        description="Hours between two backups; without it none is made by itself.",
    )
    keep: int = Field(default=7, ge=1, description="Backups that stay when the lab makes one by itself.")
    before_upgrade: bool = Field(
        default=True,
        description="Whether one is made when another version of the program starts the lab the first time.",
    )


class RetentionSettings(Section):
    """What the lab removes by itself; recorded exchanges, runs in Dagster and backups have limits in sections of their own.

    What an unfinished job, a document's newest job or a view needs always stays.
    """

    every_hours: float = Field(default=24.0, gt=0, le=MAX_DAYS * 24, description="Hours between two times.")
    events: int = Field(
        default=500_000, ge=0, description="Events that stay in the ledger's table; older ones go to its archive."
    )
    archive_days: float | None = Field(
        default=None,
        gt=0,
        le=MAX_DAYS,
        description="Days after which archived events go for ever, and with them `export` of older jobs; without it none go.",
    )
    superseded_days: float = Field(
        default=90.0,
        ge=0,
        le=MAX_DAYS,
        description="Days after which the artifacts of a job go whose document was completed again by a newer one.",
    )
    disk_mib: int | None = Field(
        default=None,
        ge=64,
        description="Size in MiB of all that the lab may take; beyond it, what may go goes at once.",
    )
    topic_days: int | None = Field(
        default=None,
        ge=1,
        le=int(MAX_DAYS),
        description="Days after which records of the lab's topics go, instead of each topic's own. The queues and the ledger's "
        "log never get less than their own.",
    )
    topic_mib: int | None = Field(
        default=None,
        ge=1,
        le=MAX_MIB,
        description="Size in MiB beyond which a partition's oldest records go, instead of each topic's own; as `topic_days`.",
    )
    log_mib: int = Field(default=16, ge=1, le=MAX_MIB, description="Size in MiB of one file of a process's log.")
    log_files: int = Field(
        default=3, ge=2, le=100, description="Files of a process's log: the current one, and the older ones that stay."
    )


class PortSettings(Section):
    """The TCP ports on the loopback address; one that is not set is chosen by the lab and kept while it is free."""

    broker: int | None = Field(default=None, ge=1, le=65535, description="Where the lab's own broker listens.")
    dagster: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Where Dagster's pages are; without it 3000 if that is free at the first start.",
    )

    metrics: int = Field(
        default=8643, ge=1, le=65535, description="Where Prometheus finds the lab, if `metrics.enabled` is set."
    )

    @model_validator(mode="after")
    def _differ(self) -> Self:
        given = [port for port in (self.broker, self.dagster, self.metrics) if port is not None]
        if len(set(given)) < len(given):
            raise ValueError("broker, dagster and metrics need different ports")
        return self


class MetricsSettings(Section):
    """What Prometheus is shown."""

    enabled: bool = Field(
        default=False,
        description="Whether a process shows counts, gauges and health on `ports.metrics`, to whoever brings the token in "
        "`metrics.token` of the state folder.",
    )


class LineageSettings(Section):
    """What is told in OpenLineage's form of which run made which artifact, to a file or to a service such as Marquez."""

    enabled: bool = Field(default=False, description="Whether a process tells it; needs the extra `lineage`.")
    runs: Literal["document", "batch"] = Field(
        default="document",
        description="What one run is: a stage of a document, within the run of its job; or a whole batch.",
    )
    namespace: str = Field(
        default="medkg-lab", pattern=r"^[A-Za-z0-9._:/@-]{1,200}$", description="The namespace of jobs and datasets."
    )
    file: Path | None = Field(
        default=None,
        description="The file that events are appended to, a line of JSON each, relative to the config folder; without it "
        "`lineage/events.jsonl` in the data folder.",
    )
    url: str | None = Field(
        default=None,
        pattern=r"^https://|^http://(127\.0\.0\.1|\[::1\]|localhost)([:/]|$)",
        description="The address of a service, by HTTPS or on this machine; events go there instead of the file, to "
        "`/api/v1/lineage`.",
    )
    api_key_file: Path | None = Field(
        default=None,
        description="File with the key that the service wants as a Bearer token, relative to the config folder.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.file is not None and self.url is not None:
            raise ValueError("events go to file or to url, not to both")
        return self


class LogSettings(Section):
    """What the lab's processes write into their logs."""

    format: LogFormat = Field(
        default="text", description="`text`, or `json`: an object on each line, with job, batch, stage and event."
    )


class FieldBoosts(Section):
    """What a word counts in each field of a passage, for the retriever that searches by words."""

    title: float = Field(default=0.25, ge=0, description="In the document's title, which its first passage repeats.")
    section: float = Field(default=0.25, ge=0, description="In the headings above the passage.")
    body: float = Field(default=1.0, ge=0, description="In the passage itself.")


class RetrieverWeights(Section):
    """What each retriever counts when their rankings are fused."""

    bm25: float = Field(default=1.0, ge=0, description="The retriever by words.")
    dense: float = Field(default=0.8, ge=0, description="The retriever by vectors.")
    sparse: float = Field(default=1.0, ge=0, description="The retriever by learned sparse vectors.")


class AuthSettings(Section):
    """Whether JSON Web Tokens of an issuer open Dagster's pages, beside the lab's own token.

    A shared secret (`HS256`) or the issuer's public keys (`RS256`, `ES256`), never both: one could be taken for the other.
    """

    mode: Literal["token", "jwt"] = Field(
        default="token", description="`token` takes the lab's own token alone; `jwt` takes an issuer's tokens as well."
    )
    issuer: str = Field(default="", description="What a token's `iss` must be, such as `medical-kg-auth`.")
    audience: str = Field(default="", description="What a token's `aud` must hold, such as `medical-kg-api`.")
    jwks_url: str | None = Field(
        default=None,
        pattern=r"^https://|^http://(127\.0\.0\.1|\[::1\]|localhost)[:/]",
        description="Where the issuer publishes its public keys, by HTTPS or on this machine.",
    )
    secret_file: Path | None = Field(
        default=None,
        description="File with the shared secret of at least 32 bytes, relative to the config folder.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "jwt" and not (self.issuer and self.audience):
            raise ValueError("jwt needs issuer and audience")
        if self.mode == "jwt" and (self.jwks_url is None) == (self.secret_file is None):
            raise ValueError("jwt needs either jwks_url or secret_file")
        return self


class SearchSettings(Section):
    """How the retrievers of a search rank, and how their rankings become one."""

    fusion: Literal["calibrated", "rrf", "weighted"] = Field(
        default="calibrated",
        description="`calibrated` adds up scores that are measured alike for every query; `weighted` scales each retriever's "
        "to 0..1 anew for each query; `rrf` adds up reciprocal ranks.",
    )
    rrf_k: int = Field(default=60, ge=1, le=10_000, description="The constant of reciprocal rank fusion.")
    weights: RetrieverWeights = Field(default=RetrieverWeights(), description="Weights of the retrievers.")
    retrievers: dict[str, float] = Field(
        default_factory=dict, description="Further retrievers, which packages bring, each with what it counts."
    )
    boosts: FieldBoosts = Field(default=FieldBoosts(), description="Boosts of the fields.")
    stop_words: bool = Field(
        default=True, description="Whether `the`, `of` and their like do not count in a search by words."
    )
    floor: float = Field(
        default=0.36,
        ge=0,
        le=1,
        description="Evidence below which a passage is not shown, from 0 (all are shown) to 1; with vectors of a model whose "
        "cosines are not known, nothing is hidden.",
    )
    reranker: str | None = Field(
        default=None,
        description="The reranker that looks at the best passages once more, such as `proximity`; none by default.",
    )
    rerank_depth: int = Field(default=50, ge=1, le=200, description="How many passages the reranker looks at.")


class ScreenSettings(Section):
    """How the screen looks; what the command line or the environment says comes first."""

    theme: Literal["auto", "dark", "light", "contrast"] = Field(
        default="auto", description="The colours; `auto` is light where the terminal tells that its background is."
    )
    ascii: bool = Field(
        default=False, description="Whether it draws with ASCII alone; it does where the locale is not UTF-8."
    )
    reduced_motion: bool = Field(
        default=False, description="Whether nothing moves by itself: no animation, no smooth scrolling, no blinking."
    )


class Settings(Section):
    """Everything that can be set."""

    profile: str = Field(
        default="cpu", pattern=r"^[a-z][a-z0-9-]*$", description="Which profile chooses the stage implementations."
    )
    broker: BrokerSettings = Field(default=BrokerSettings(), description="The broker.")
    ports: PortSettings = Field(default=PortSettings(), description="The TCP ports that the lab listens on.")
    pdf: PdfSettings = Field(default=PdfSettings(), description="PDF conversion.")
    search: SearchSettings = Field(default=SearchSettings(), description="Search.")
    recording: RecordingSettings = Field(
        default=RecordingSettings(), description="The record of exchanges with the outside."
    )
    dagster: DagsterSettings = Field(default=DagsterSettings(), description="Dagster's pages.")
    backup: BackupSettings = Field(default=BackupSettings(), description="Backups of the whole lab.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What the lab removes by itself.")
    auth: AuthSettings = Field(default=AuthSettings(), description="Who may see Dagster's pages beside the lab's user.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="What Prometheus is shown.")
    lineage: LineageSettings = Field(default=LineageSettings(), description="OpenLineage.")
    logs: LogSettings = Field(default=LogSettings(), description="Logs of the processes.")
    screen: ScreenSettings = Field(default=ScreenSettings(), description="The screen.")
    compute_engines: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Engines that share the computing; stages on the GPU take turns all the same.",
    )
    lease_seconds: float = Field(
        default=10.0, ge=1, le=600, description="Seconds without a heartbeat after which a batch is taken back."
    )
    stage_deadline_seconds: float = Field(
        default=600.0,
        ge=1,
        le=86_400,
        description="Seconds that a stage may take for a document, or for a batch that it takes at once.",
    )
    batch_limit: int = Field(default=48, ge=1, le=512, description="Jobs in one batch at most.")
    allowed_roots: tuple[Path, ...] = Field(
        default=(), description="Folders from which submissions may name files by `file://`."
    )
    sources: dict[str, dict[str, object]] = Field(
        default_factory=dict, description="Settings of a source adapter, such as its `base_url`."
    )
    sinks: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Where events go besides the topics: sinks that packages bring, each with its settings.",
    )


def load(locations: Locations) -> Settings:
    """Read the lab's settings. Raises SettingsInvalid."""
    where = path(locations)
    if not where.exists():
        return Settings()
    source = yaml_source.read(where)
    for problem in source.problems:
        if problem.rule != "empty":
            detail = f"line {problem.line}, column {problem.column}: {problem.message}"
            raise SettingsInvalid(path=where, detail=detail)
    try:
        return _absolute(Settings.model_validate(source.value or {}), where.parent)
    except ValidationError as error:
        first = error.errors()[0]
        place = source.problem(first["loc"], "", "")
        detail = f"line {place.line}, column {place.column}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise SettingsInvalid(path=where, detail=detail) from None


_Section = TypeVar("_Section", bound=Section)


def _absolute(section: _Section, folder: Path) -> _Section:
    """`section` with relative paths read as below `folder`: processes with different current folders must agree on them."""

    def resolved(value: Any) -> Any:
        if isinstance(value, Section):
            return _absolute(value, folder)
        if isinstance(value, tuple):
            return tuple(map(resolved, value))
        return folder / value.expanduser() if isinstance(value, Path) else value

    return section.model_copy(update={name: resolved(getattr(section, name)) for name in type(section).model_fields})


def path(locations: Locations) -> Path:
    """The file with the lab's settings; it need not exist."""
    return locations.config / SETTINGS
