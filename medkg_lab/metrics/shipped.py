"""What is shipped for Prometheus and Grafana: alert rules, a dashboard, and the configuration that scrapes this lab."""

from importlib.resources import files

import yaml

from medkg_lab import credentials
from medkg_lab.locations import Locations
from medkg_lab.settings import Settings

JOB = "medkg-lab"


def alerts() -> str:
    """The alert rules (YAML)."""
    return (files("medkg_lab.metrics") / "alerts.yaml").read_text("utf-8")


def dashboard() -> str:
    """The dashboard (Grafana's JSON)."""
    return (files("medkg_lab.metrics") / "dashboard.json").read_text("utf-8")


def address(settings: Settings) -> str:
    """Where the lab is scraped, as `host:port`."""
    return f"127.0.0.1:{settings.ports.metrics}"


def scrape_config(locations: Locations, settings: Settings) -> str:
    """A `prometheus.yml` that scrapes this lab with its token."""
    token = credentials.metrics_token_file(locations)
    scraped = {
        "job_name": JOB,
        "authorization": {"credentials_file": str(token)},
        "static_configs": [{"targets": [address(settings)], "labels": {"lab": locations.home.name}}],
    }
    config = {"global": {"scrape_interval": "15s"}, "rule_files": ["alerts.yaml"], "scrape_configs": [scraped]}
    return yaml.safe_dump(config, sort_keys=False)
