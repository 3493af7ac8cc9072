"""As much of W&B's server, on 127.0.0.1, as unmodified `wandb sweep`, `wandb agent` and `wandb.init` talk to.

It keeps what it was told, for tests to look at. Searches: grid alone; which runs to stop early a test decides.
"""

import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT

ENTITY = "somebody"
PROJECT_OF = {"id": "project", "entity": {"id": "entity", "name": ENTITY}}


@dataclass
class Run:
    """What the server knows about a run: `told` are UpsertBucket's variables, the latest of each."""

    name: str
    parameters: Mapping[str, Any] | None = None  # of a sweep's run, as the agent was given them
    told: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)  # of its history, by their place
    exit_codes: list[int] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """Without W&B's own keys."""
        return {key: part["value"] for key, part in json.loads(self.told["config"]).items() if key[0] != "_"}

    def values_of(self, metric: str) -> list[float]:
        return [line[metric] for _, line in sorted(self.lines.items()) if metric in line]


@dataclass
class Sweep:
    """A sweep as it was registered. `waiting`: the runs that an agent is to be given, and the command for each."""

    name: str
    project: str
    text: str
    waiting: list[tuple[str, str]] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        return yaml.safe_load(self.text)


@dataclass
class StandIn:
    """The server's memory."""

    url: str = ""
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    agents: dict[str, Sweep] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)
    stops: Callable[[Run], bool] = lambda run: False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def environment(self, folder: Path) -> dict[str, str]:
        """For processes that talk to this server and to no other, know nobody's account, and find this `ganzoo`."""
        script = folder / "bin" / "ganzoo"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ganzoo "$@"\n')
        script.chmod(0o755)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        paths = [str(script.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
        account = {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1"}
        here = {"HOME": str(folder), "NETRC": str(folder / "netrc"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return {**inherited, **account, **here, "PATH": os.pathsep.join(paths)}

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The `data` of a GraphQL response. What nobody has met is answered by nothing, and can be seen in a test."""
        with self.lock:
            self.operations.append(operation)
            known = getattr(self, f"_{operation}", None)
            return known(given) if known else {}

    def _Viewer(self, given: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "me", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer}

    def _OrganizationCoreWeaveOrganizationID(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    def _GetDefaultEntity(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "me", "entity": ENTITY}}

    def _Runs(self, given: dict[str, Any]) -> dict[str, Any]:
        """A project's runs, on one page; a project of which no run was told is none."""
        runs = [run for run in self.runs.values() if run.told.get("project") == given["project"]]
        edges = [{"node": self._node(run, given["project"]), "cursor": run.name} for run in runs]
        page = {"endCursor": None, "hasNextPage": False}
        told = {"internalId": "1", "runCount": len(runs), "readOnly": True, "runs": {"edges": edges, "pageInfo": page}}
        return {"project": told if runs else None}

    def _node(self, run: Run, project: str) -> dict[str, Any]:
        summary = {key: value for _, line in sorted(run.lines.items()) for key, value in line.items()}
        ended = "finished" if run.exit_codes[-1:] == [0] else "failed" if run.exit_codes else "running"
        named = {"id": run.name, "name": run.name, "displayName": run.name, "tags": [], "historyKeys": None}
        of_project = {"projectId": "1", "project": {"name": project, **PROJECT_OF}}
        told = {"config": run.told["config"], "summaryMetrics": json.dumps(summary), "systemMetrics": "{}"}
        return {**named, **of_project, **told, "state": ended, "createdAt": "2026-01-01T00:00:00"}

    def _UpsertSweep(self, given: dict[str, Any]) -> dict[str, Any]:
        sweep = Sweep(f"sweep{len(self.sweeps)}", given["projectName"], given["config"])
        self.sweeps[sweep.name] = sweep
        for number, parameters in enumerate(points(sweep.config["parameters"])):
            name = f"{sweep.name}run{number}"
            self.runs[name] = Run(name, parameters)
            sweep.waiting.append((name, "run"))
        told = {"name": sweep.name, "project": {"name": sweep.project, **PROJECT_OF}}
        return {"upsertSweep": {"sweep": told, "configValidationWarnings": []}}

    def _SweepWithRuns(self, given: dict[str, Any]) -> dict[str, Any]:
        sweep = self.sweeps.get(given["sweep"])
        told = sweep and {"id": sweep.name, "name": sweep.name, "config": sweep.text, "runs": {"edges": []}}
        return {"project": {"sweep": told}}

    def _CreateAgent(self, given: dict[str, Any]) -> dict[str, Any]:
        agent = f"agent{len(self.agents)}"
        self.agents[agent] = self.sweeps[given["sweep"]]
        return {"createAgent": {"agent": {"id": agent}}}

    def _Heartbeat(self, given: dict[str, Any]) -> dict[str, Any]:
        sweep, running = self.agents[given["id"]], list(json.loads(given["runState"]))
        commands = [{"type": "stop", "run_id": name} for name in running if self.stops(self.runs[name])]
        if not running and not sweep.waiting:
            commands = [{"type": "exit"}]
        elif not running:
            name, kind = sweep.waiting.pop(0)
            arguments = {key: {"value": value} for key, value in (self.runs[name].parameters or {}).items()}
            commands = [{"type": kind, "run_id": name, "args": arguments, "program": sweep.config["program"]}]
        return {"agentHeartbeat": {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}}

    def _RunResumeStatus(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(given["name"])
        told = {"id": "project", "name": given["project"], "entity": PROJECT_OF["entity"], "bucket": None}
        if run is not None and run.told:
            counts = {f"{what}LineCount": 0 for what in ("log", "events")} | {"historyLineCount": len(run.lines)}
            last = json.dumps([json.dumps(run.lines[max(run.lines)])] if run.lines else [])
            tails = {"historyTail": last, "eventsTail": "[]", "summaryMetrics": "{}", "wandbConfig": '{"t": 1}'}
            bucket = {"id": run.name, "name": run.name, "config": run.told["config"], "tags": [], **counts, **tails}
            told["bucket"] = bucket
        return {"model": told}

    def _UpsertBucket(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.setdefault(given["name"], Run(given["name"]))
        inserted = not run.told
        run.told |= {key: value for key, value in given.items() if value is not None}
        project = {"name": given["project"], **PROJECT_OF}
        bucket = {"id": run.name, "name": run.name, "displayName": run.told.get("displayName"), "project": project}
        bucket |= {"sweepName": run.told.get("sweep"), "historyLineCount": len(run.lines)}
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _CreateRunFiles(self, given: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def take_stream(self, name: str, told: dict[str, Any]) -> None:
        """Some of a run's history; with its last part comes its exit code."""
        with self.lock:
            run, history = self.runs[name], (told.get("files") or {}).get("wandb-history.jsonl")
            if history:
                for place, line in enumerate(history["content"], history["offset"]):
                    run.lines[place] = json.loads(line)
            if told.get("complete"):
                run.exit_codes.append(told["exitcode"])


def points(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The grid of a sweep's parameters, nested ones nested."""
    choices = []
    for declared in parameters.values():
        nested = declared.get("parameters")
        choices.append(points(nested) if nested else declared.get("values") or [declared["value"]])
    return [dict(zip(parameters, chosen, strict=True)) for chosen in product(*choices)]


def handler_of(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    """HTTP for the server's memory."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body, answer = self._body(), {}
            if self.path == "/graphql":
                asked = json.loads(body)
                operation = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
                answer = {"data": stand_in.answer(operation[1] if operation else "", asked.get("variables") or {})}
            elif stream := re.fullmatch(r"/files/.*/(.*)/file_stream", self.path):
                stand_in.take_stream(stream[1], json.loads(body))
            self._say(json.dumps(answer).encode())

        def do_PUT(self) -> None:
            self._body()
            self._say(b"")

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest would show it with every failure."""

    return Handler


@contextmanager
def serving() -> Iterator[StandIn]:
    """The server, for as long as the body takes."""
    stand_in = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(stand_in))
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
