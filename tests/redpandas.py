"""A program that stands in for Redpanda: it takes Redpanda's command line and files, and starts, fails or hangs as it is told."""

import sys
from pathlib import Path

FAKE = """#!{python}
import http.server, json, os, pathlib, subprocess, sys, threading, time, yaml
here = pathlib.Path({folder!r})
if "--version" in sys.argv:
    print("v99.1.2 (a stand-in)"); sys.exit(0)
(here / "argv.json").write_text(json.dumps(sys.argv[1:]))
behaviour = (here / "behaviour").read_text()
if behaviour.startswith("say:"):
    print(behaviour[4:], file=sys.stderr); sys.exit(1)
if behaviour == "hang":
    print("INFO still electing a leader", file=sys.stderr, flush=True); time.sleep(600)
config = yaml.safe_load(open(sys.argv[sys.argv.index("--redpanda-cfg") + 1]))["redpanda"]
class Admin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"status": "ready"}}).encode()
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", config["admin"][0]["port"]), Admin)
threading.Thread(target=server.serve_forever, daemon=True).start()
kafka = ["--no-authentication", "--data", config["data_directory"], "--port", str(config["kafka_api"][0]["port"])]
from medkg_lab.broker.embedded.__main__ import main
main(kafka)
"""


def make_fake(folder: Path, behaviour: str = "serve", place: str = "libexec/redpanda") -> Path:
    """An installation in `folder` whose program behaves as told: `serve`, `hang`, or `say:` and what it says before it ends."""
    program = folder / place
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    (folder / "behaviour").write_text(behaviour)
    return program
