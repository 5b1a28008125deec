#!/usr/bin/env python3
"""Checks the files in deploy/prometheus and deploy/grafana, with Prometheus and with the metrics of running programs.

  scripts/postgres run .ci/monitoring.py PROGRAM   with the program `paradigm-scim` to start

promtool checks the alerts, their tests and the configuration. Then `serve` runs twice, in memory with TLS and on PostgreSQL,
and Prometheus scrapes both by the configuration that is shipped. It evaluates each query of the alerts and of the dashboard:

- every metric and label that a query names is exported
- every query of the dashboard returns data, except those in WITHOUT_DATA
- no alert fires

Prometheus and its data are in a temporary folder and on a free port, and end with this program.
"""

import contextlib
import itertools
import json
import math
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy/prometheus/alerts.yml"
TESTS = ROOT / "deploy/prometheus/alerts_test.yml"
CONFIGURATION = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
PAGE = "docs/monitoring.md"
JOB = "paradigm-scim"

# What Grafana's variables become.
VARIABLES = {"$job": JOB, "$instance": ".*", "$__rate_interval": "60s"}
# Panels that show nothing in this run, each with the reason.
WITHOUT_DATA = {"Failed calls": "no call of the database fails in this run"}
# Metrics that Prometheus itself makes, with their labels.
OWN_METRICS = {"up": set(), "ALERTS": {"alertname", "alertstate"}}
TARGET_LABELS = {"job", "instance"}
# Requests are sent for so long, in seconds. `rate` needs two scrapes, which are a second apart here.
TRAFFIC = 8

# Words of the language of queries that are not names of metrics.
KEYWORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"}
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
MATCHERS = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{((?:[^}\"]|\"[^\"]*\")*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ")


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def process(command, **options):
    """Runs a program until the block ends."""
    started = subprocess.Popen([str(part) for part in command], **options)
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


def run(*command, **options):
    """Runs a command that must succeed, and returns what it prints."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def wait_until(holds, what, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.1)


# --- The programs


class Serve:
    """A `serve` that runs, and requests to it."""

    def __init__(self, started, context):
        self.context = context
        self.token = None
        for line in started.stdout:
            name, _, value = line.strip().partition(": ")
            if name == "Tenant URL":
                self.url = value.split("/?")[0]
            elif name == "Secret token":
                self.token = value
            elif name == "Admin URL":
                self.admin = value
                return
        sys.exit(f"serve ended with status {started.wait()}")

    def send(self, method, path, body=None, token=None):
        """Sends a request, and returns status and body."""
        headers = {"Content-Type": "application/scim+json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=15) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def admin_text(self, path):
        with urllib.request.urlopen(f"{self.admin}{path}", timeout=5) as response:
            return response.read().decode()

    def take_traffic(self, number):
        """Sends one round of requests: good ones, refused ones, and some to where nothing is."""
        name = f"user-{number}@example.com"
        status, body = self.send("POST", "/Users", {"userName": name}, self.token)
        if status != 201:
            sys.exit(f"POST /Users: {status} {body.decode()}")
        user = json.loads(body)["id"]
        title = {"op": "replace", "path": "title", "value": "Engineer"}
        patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [title]}
        for method, path, sent, token, expected in [
            ("POST", "/Users", {"userName": name}, self.token, 409),
            ("GET", f"/Users/{user}", None, self.token, 200),
            ("GET", "/Users?filter=title%20eq%20%22Engineer%22", None, self.token, 200),
            ("PATCH", f"/Users/{user}", patch, self.token, 200),
            ("DELETE", f"/Users/{user}", None, self.token, 204),
            ("GET", f"/Users/{user}", None, self.token, 404),
            ("POST", "/Groups", {"displayName": "Group"}, self.token, 501),
            ("GET", "/Users", None, None, 401),
            ("GET", "/nowhere", None, self.token, 404),
            ("GET", "/Schemas", None, None, 200),
        ]:
            status, body = self.send(method, path, sent, token)
            if status != expected:
                sys.exit(f"{method} {path}: {status}, not {expected}: {body.decode()[:500]}")
        self.admin_text("/readyz")
        if self.context is not None:
            address, port = self.url.removeprefix("https://").split("/")[0].split(":")
            with socket.create_connection((address, int(port)), timeout=5) as client:
                client.sendall(b"no TLS\r\n\r\n")


@contextlib.contextmanager
def serving(program, arguments, context=None):
    command = [program, "serve", "--listen", f"{HOST}:0", "--admin-listen", f"{HOST}:0", *arguments]
    environment = os.environ | {"SCIM_INSTANCE_ACTIVATION": "True", "SCIM_LOG": "error"}
    with process(command, stdout=subprocess.PIPE, text=True, env=environment) as started:
        yield Serve(started, context)


def make_certificate(folder):
    """Makes a certificate for two months, and returns the options of `serve` and what a client needs to trust it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "60", "-subj", "/CN=localhost"]
    run("openssl", "req", *options, "-addext", f"subjectAltName=IP:{HOST}", "-out", certificate, "-keyout", key)
    context = ssl.create_default_context(cafile=certificate)
    return ["--tls-certificate", certificate, "--tls-key", key], context


def set_up_database(program, folder):
    """Makes roles, schema, company and key as docs/postgres.md says, and returns the file with the service's URL, and a token."""
    url = os.environ["SCIM_TEST_POSTGRES"]
    run("psql", "--quiet", "--dbname", url, "-v", "ON_ERROR_STOP=1", "-v", "database=scim", "-f", ROOT / "scripts/postgres-roles.sql")
    files = {}
    for role in ("owner", "service"):
        files[role] = folder / role
        files[role].write_text(url.replace("//postgres@", f"//paradigm_scim_{role}@").replace("/postgres?", "/scim?"))
    run(program, "database", "migrate", "--database-url-file", files["owner"])
    environment = os.environ | {"SCIM_DATABASE_URL_FILE": str(files["service"])}
    company = json.loads(run(program, "company", "create", "Acme", "--json", env=environment))["id"]
    owner = ["ada@example.com", "--company", company]
    run(program, "user", "create", *owner, env=environment)
    run(program, "user", "grant", *owner, env=environment)
    key = ["key", "create", "--company", company, "--owner", "ada@example.com", "--name", "CI", "--expires", "never", "--json"]
    return files["service"], json.loads(run(program, *key, env=environment))["token"]


# --- Prometheus


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, port):
        self.url = f"http://{HOST}:{port}"

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def get(self, path, **parameters):
        """Returns the data of a response, or an error as text."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"], None
        except urllib.error.HTTPError as error:
            return None, json.load(error).get("error", str(error))

    def query(self, expression):
        """Returns the values of a query, or an error as text."""
        data, error = self.get("query", query=expression)
        if error is not None:
            return [], error
        return [float(sample["value"][1]) for sample in data["result"]], None

    def rules(self):
        """Returns the rules that are loaded."""
        return [rule for group in self.get("rules")[0]["groups"] for rule in group["rules"]]


@contextlib.contextmanager
def prometheus(folder, addresses):
    """Runs Prometheus with the shipped configuration, in which only addresses and intervals differ."""
    text = CONFIGURATION.read_text()
    targets = iter(addresses)
    text, named = re.subn(r"scim-\d\.example\.com:9090", lambda _: next(targets), text)
    text, intervals = re.subn(r"(_interval): 15s", r"\1: 1s", text)
    if named != len(addresses) or intervals != 2:
        sys.exit(f"{CONFIGURATION}: {named} targets and {intervals} intervals, not {len(addresses)} and 2")
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(RULES, folder)
    port = free_port()
    listen = [f"--web.listen-address={HOST}:{port}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=error"]
    with process(["prometheus", f"--config.file={folder / 'prometheus.yml'}", *listen], cwd=folder) as started:
        running = Prometheus(port)
        wait_until(lambda: started.poll() is not None or running.is_ready(), "prometheus is ready")
        if started.poll() is not None:
            sys.exit(f"prometheus ended with status {started.returncode}")
        yield running


# --- What is checked


class Exported:
    """The metrics that programs export, and the values that their labels may have."""

    def __init__(self, texts):
        self.labels = {name: set(labels) for name, labels in OWN_METRICS.items()}
        self.values = {}
        for line in itertools.chain.from_iterable(text.splitlines() for text in texts):
            if sample := SAMPLE.match(line):
                pairs = MATCHER.findall(sample[2] or "")
                self.labels.setdefault(sample[1], set()).update(name for name, _ in pairs)
                for name, value in pairs:
                    self.values.setdefault(name, set()).add(value)
        # Outcomes that this run does not have, and other documented words.
        page = re.sub(r"^```.*?^```", "", (ROOT / "docs/serving.md").read_text(), flags=re.MULTILINE | re.DOTALL)
        self.documented = set(re.findall(r"`([^`]+)`", page))

    def problems_of(self, expression, recorded):
        """Yields what a query names and nobody exports. `recorded` has the names that recording rules make."""
        for metric, inside in MATCHERS.findall(expression):
            for label, value in MATCHER.findall(inside):
                if metric in self.labels and label not in self.labels[metric] | TARGET_LABELS:
                    yield f"{metric} has no label {label}"
                for alternative in value.split("|"):
                    if metric not in OWN_METRICS and label not in TARGET_LABELS and not self.may_be(label, alternative):
                        yield f"the label {label} of {metric} is never {alternative}"
        bare = re.sub(r'"[^"]*"', "", expression)
        known_labels = set().union(*self.labels.values()) | TARGET_LABELS
        for label in ", ".join(GROUPING.findall(bare)).split(","):
            if label.strip() and label.strip() not in known_labels:
                yield f"no metric has a label {label.strip()}"
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\boffset\s+\w+", "", GROUPING.sub("", bare))
        for name in re.findall(r"(?<![\w.:])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare):
            if name not in KEYWORDS and name not in self.labels and name not in recorded:
                yield f"{name} is not in /metrics"

    def may_be(self, label, pattern):
        candidates = self.values.get(label, set()) | self.documented
        return any(re.fullmatch(pattern, value) for value in candidates)


def queries_of(dashboard):
    """Yields title and query of each panel and variable, with the values of Grafana's variables."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], re.sub(r"\$\w+", lambda name: VARIABLES.get(name[0], name[0]), target["expr"])


def dashboard_problems(dashboard):
    """Yields what is wrong with the dashboard itself."""
    if "id" in dashboard:
        yield "the dashboard has an id, which belongs to one Grafana"
    titles = {panel["title"] for panel in dashboard["panels"]}
    yield from (f"WITHOUT_DATA names the panel {title}, which does not exist" for title in WITHOUT_DATA.keys() - titles)
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = set(itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])))
        if cells & taken or place["x"] + place["w"] > 24:
            yield f"{panel['title']}: lies over another panel, or beyond the edge"
        taken |= cells
        if panel["type"] == "row":
            continue
        if not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{panel['title']}: has no description or no unit"
        for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
            if source["uid"] != "${datasource}":
                yield f"{panel['title']}: names a data source, not the variable"


def variable_problems(dashboard, exported):
    """Yields metrics that the variables of the dashboard name and nobody exports."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric = re.match(r"label_values\((\w+)", variable["query"]["query"])
            if metric is None or metric[1] not in exported.labels:
                yield f"variable {variable['name']}: {variable['query']['query']} names no exported metric"


def anchors_of(page):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alert_problems(rules):
    """Yields alerts without severity, documentation or test."""
    page, tests = (ROOT / PAGE).read_text(), TESTS.read_text()
    alerts = [rule for rule in rules if rule["type"] == "alerting"]
    if not alerts:
        yield "Prometheus has loaded no alert"
    for alert in alerts:
        name, annotations = alert["name"], alert["annotations"]
        if alert["labels"].get("severity") not in {"critical", "warning"}:
            yield f"{name}: the severity is neither critical nor warning"
        if not annotations.get("summary") or not annotations.get("description"):
            yield f"{name}: has no summary or no description"
        path, _, anchor = annotations.get("documentation", "").partition("#")
        if path != PAGE or anchor not in anchors_of(page):
            yield f"{name}: its documentation is no section of {PAGE}"
        if f"| `{name}` |" not in page:
            yield f"{name}: is in no table of {PAGE}"
        if f'alertname="{name}"' not in tests:
            yield f"{name}: no test lets it fire"
    for name in set(re.findall(r"^\| `(Scim\w+)` \|", page, re.MULTILINE)) - {alert["name"] for alert in alerts}:
        yield f"{PAGE} describes {name}, which does not exist"


def rule_problems(server, rules, exported, recorded):
    """Yields rules that cannot be evaluated or that name what nobody exports, and alerts that fire."""
    for rule in rules:
        _, error = server.query(rule["query"])
        if rule["health"] != "ok" or error is not None:
            yield f"{rule['name']}: {rule.get('lastError') or error or rule['health']}"
        yield from (f"{rule['name']}: {problem}" for problem in exported.problems_of(rule["query"], recorded))
        if rule.get("state") == "firing":
            yield f"{rule['name']}: fires, though nothing is wrong"


def panel_problems(server, dashboard, exported, recorded):
    """Yields queries of panels that cannot be evaluated, return no data, or name what nobody exports."""
    for title, expression in queries_of(dashboard):
        values, error = server.query(expression)
        if error is not None or "$" in expression:
            yield f"{title}: {error or 'has an unknown variable'}: {expression}"
        elif all(math.isnan(value) for value in values) and title not in WITHOUT_DATA:
            yield f"{title}: no data: {expression}"
        yield from (f"{title}: {problem}" for problem in exported.problems_of(expression, recorded))


def check_with_promtool():
    for command in (["check", "rules", RULES], ["test", "rules", TESTS], ["check", "config", CONFIGURATION]):
        run("promtool", *command)
        print(f"promtool {' '.join(command[:2])}: ok", flush=True)


def problems_with(program, folder):
    """Starts all programs, sends requests, and returns what is wrong."""
    dashboard = json.loads(DASHBOARD.read_text())
    tls, context = make_certificate(folder)
    url_file, token = set_up_database(program, folder)
    with contextlib.ExitStack() as stack:
        in_memory = stack.enter_context(serving(program, ["--in-memory", *tls], context))
        on_postgres = stack.enter_context(serving(program, ["--database-url-file", url_file]))
        on_postgres.token = token
        instances = [in_memory, on_postgres]
        addresses = [instance.admin.removeprefix("http://") for instance in instances]
        server = stack.enter_context(prometheus(folder, addresses))
        wait_until(lambda: server.query(f'sum(up{{job="{JOB}"}})')[0] == [len(instances)], "both instances are scraped")
        end = time.monotonic() + TRAFFIC
        for number in itertools.count():
            for instance in instances:
                instance.take_traffic(number)
            if time.monotonic() > end:
                break
            time.sleep(0.3)
        exported = Exported([instance.admin_text("/metrics") for instance in instances])
        rules = server.rules()
        recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
        print(f"{len(rules)} rules, {sum(1 for _ in queries_of(dashboard))} queries of panels, {len(exported.labels)} metrics", flush=True)
        return [
            *alert_problems(rules),
            *rule_problems(server, rules, exported, recorded),
            *dashboard_problems(dashboard),
            *variable_problems(dashboard, exported),
            *panel_problems(server, dashboard, exported, recorded),
        ]


def main():
    for program in ("prometheus", "promtool", "openssl", "psql"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing")
    check_with_promtool()
    with tempfile.TemporaryDirectory() as folder:
        problems = problems_with(Path(sys.argv[1]).resolve(), Path(folder))
    for problem in problems:
        print(problem)
    sys.exit(f"{len(problems)} problems" if problems else 0)


if __name__ == "__main__":
    main()
