#!/usr/bin/env python3
"""Kills, stops, freezes and fills servers and processes while clients write, and checks that nothing acknowledged is lost.

  .ci/postgres_faults.py PROGRAM [--only NAME …] [--operations NUMBER] [--repeat NUMBER] [--at-once NUMBER]

Each scenario makes a PostgreSQL server with scripts/postgres and starts `serve` on it. Threads create, change, rename and
delete users over HTTP, and remember what was acknowledged. Then:

- everything acknowledged is there, and nothing else
- `check` has no findings, each version of a user has one audit record, and there was no deadlock
- every response was one that docs/postgres.md allows, and came in time
- service is back within seconds after the fault
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
# Clients of each scenario. Each has users of its own, a user that it renames, and an attribute of a user that others change too.
CLIENTS = 12
# docs/postgres.md: a response comes within 13 s. One second more, because the machine is busy.
SLOWEST = 14
# How long service may stay away after the fault is over.
RECOVERY = 10
# A client waits so long before it repeats a request.
PAUSE = 0.25
# Names that all clients want for their users.
WANTED_NAMES = 4
# Attributes of the users that several clients change, each client one of them.
SHARED = ["title", "nickName", "displayName", "name.givenName"]
SERVICE_ROLE = "paradigm_scim_service"


# --- Processes


def run(*command, **options):
    """Runs a command that must succeed, and returns what it prints."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{command} ended with status {result.returncode}: {result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def wait_until(holds, what, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def children_of(parent):
    """Returns the process ids of a process's children."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program, in parentheses, may have blanks.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                children.append(int(stat.parent.name))
    return children


class Server:
    """A PostgreSQL server in a folder."""

    def __init__(self, folder, *settings, primary=None):
        self.folder = folder
        arguments = ["start", folder] if primary is None else ["standby", folder, primary.folder]
        url = run("scripts/postgres", *arguments, *settings).strip()
        self.address = re.search(r"@([^/]+)/", url)[1]
        self.frozen = []

    def control(self, command, *arguments):
        run("scripts/postgres", command, self.folder, *arguments)

    def start_again(self):
        """Starts it again. After SIGKILL of the postmaster, its children take a moment to end."""
        end = time.monotonic() + 20
        while True:
            try:
                return self.control("again")
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def freeze(self):
        """Stops all its processes with SIGSTOP: connections to it are accepted, and nothing responds."""
        postmaster = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        # The postmaster first, so that it starts no more.
        os.kill(postmaster, signal.SIGSTOP)
        self.frozen = [postmaster, *children_of(postmaster)]
        for process in self.frozen:
            os.kill(process, signal.SIGSTOP)

    def thaw(self):
        for process in self.frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self.frozen = []

    def kill_frozen(self):
        """Kills its stopped processes, so that it never sees what others have sent it meanwhile."""
        for process in self.frozen:
            os.kill(process, signal.SIGKILL)
        self.frozen = []

    def command(self, sql, database="scim", user="postgres", name="faults"):
        url = f"postgres://{user}@{self.address}/{database}?sslmode=disable&application_name={name}"
        return ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "--dbname", url, "--command", sql]

    def query(self, sql, database="scim"):
        # So that a read-only database can be made writable.
        return run(*self.command(sql, database), env=os.environ | {"PGOPTIONS": "-c default_transaction_read_only=off"}).strip()

    def hold(self, sql, **options):
        """Runs a statement beside, until the process is ended."""
        return subprocess.Popen(self.command(sql, **options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def remove(self):
        """Ends it, whatever its state."""
        self.thaw()
        with contextlib.suppress(RuntimeError):
            self.control("stop", "immediate")


class Serve:
    """A `serve` on a port of its own."""

    def __init__(self, program, url_file, log, *arguments):
        self.port = free_port()
        self.log = log
        limits = ["--key-rate", "1000000", "--key-concurrency", "1000"]
        self.command = [program, "serve", "--listen", f"{HOST}:{self.port}", "--database-url-file", str(url_file), *limits, *arguments]
        self.start()

    def start(self):
        environment = os.environ | {"SCIM_INSTANCE_ACTIVATION": "True", "SCIM_LOG": "warn"}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        if not self.process.stdout.readline().startswith("Tenant URL: "):
            raise RuntimeError(f"serve did not start: {self.log.read_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it as a service manager does, and returns its status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Site:
    """Servers, a company with a key, and processes of `serve`. Everything ends with the block."""

    def __init__(self, program, *settings, standby=False, folder=None):
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-faults-"))
        self.folder.chmod(0o755)
        self.servers, self.instances, self.held = [], [], []
        try:
            self.primary = self.add_server(Server(folder or self.folder / "primary", *settings))
            psql = self.primary.command("", "postgres")[:-2]
            run(*psql, "-v", "database=scim", "-f", "scripts/postgres-roles.sql")
            if standby:
                self.standby = self.add_server(Server(self.folder / "standby", primary=self.primary))
            self.url_file = self.write_url(SERVICE_ROLE)
            self.command("database", "migrate", url_file=self.write_url("paradigm_scim_owner"))
            self.create_key()
        except BaseException:
            self.__exit__()
            raise

    def add_server(self, server):
        self.servers.append(server)
        return server

    def write_url(self, user):
        file = self.folder / user
        hosts = ",".join(server.address for server in self.servers)
        file.write_text(f"postgres://{user}@{hosts}/scim?sslmode=disable&target_session_attrs=read-write\n")
        return file

    def command(self, *arguments, url_file=None):
        return run(self.program, *arguments, "--database-url-file", url_file or self.url_file, timeout=60)

    def create_key(self):
        company = json.loads(self.command("company", "create", "Acme", "--json"))["id"]
        self.command("user", "create", "owner@example.com", "--company", company)
        self.command("user", "grant", "owner@example.com", "--company", company)
        arguments = ["--company", company, "--owner", "owner@example.com", "--name", "faults", "--expires", "never", "--json"]
        self.token = json.loads(self.command("key", "create", *arguments))["token"]

    def serve(self, count, *arguments):
        for _ in range(count):
            log = self.folder / f"serve-{len(self.instances)}"
            self.instances.append(Serve(self.program, self.url_file, log, *arguments))
        return self.instances

    def hold(self, sql, server=None, **options):
        process = (server or self.primary).hold(sql, **options)
        self.held.append(process)
        return process

    def release(self):
        for process in self.held:
            process.kill()
            process.wait()
        self.held = []

    def logs(self):
        return "".join(instance.log.read_text() for instance in self.instances)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
        for instance in self.instances:
            instance.kill()
        for server in self.servers:
            server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


# --- Load


class Record:
    """What a client has sent and received, for one user. Only one client changes each attribute, one request after another."""

    def __init__(self, name, is_made=False):
        self.name = name
        self.id = None
        # Whether it was acknowledged that the user exists, or that the user was deleted.
        self.is_made, self.is_deleted = is_made, False
        # Whether a request was sent that deletes the user.
        self.may_be_deleted = False
        # The value of each attribute that was acknowledged last, and those that were sent later.
        self.values, self.sent_later = {}, {}

    def send(self, attribute, value):
        self.sent_later.setdefault(attribute, set()).add(value)

    def acknowledge(self, attribute, value):
        self.values[attribute] = value
        self.sent_later.pop(attribute, None)

    def differences(self, user):
        """Returns the attributes of a user that have none of the values that they may have."""
        for attribute in self.values.keys() | self.sent_later.keys():
            allowed = {self.values.get(attribute)} | self.sent_later.get(attribute, set())
            value = value_of(user, attribute)
            if value not in allowed:
                yield f"{self.name}: {attribute} is {value}, not {' or '.join(map(str, allowed))}"


def value_of(user, attribute):
    for part in attribute.split("."):
        user = (user or {}).get(part)
    return user


def replace(attribute, value):
    operation = {"op": "replace", "path": attribute, "value": value}
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}


class Client(threading.Thread):
    """Sends requests, one after another, and repeats each until there is a response other than 503."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.instances = load.site.instances
        self.instance = number % len(self.instances)
        self.connection = None
        # Whether it ends before the load does.
        self.is_retired = False
        self.used = 0.0
        self.random = random.Random(number)
        self.count = itertools.count(1)
        self.own, self.racer = [], None
        self.shared = load.shared[number // len(SHARED)]
        self.attribute = SHARED[number % len(SHARED)]

    # Requests

    def send(self, method, path, body=None, headers=()):
        """Sends one request, and returns status, body and ETag; None as the status if the connection was cut."""
        started = time.monotonic()
        status, text, found = None, b"", {}
        try:
            # `serve` closes connections that are not used for 10 s.
            if self.connection is None or started - self.used > 5:
                self.close()
                self.connection = http.client.HTTPConnection(HOST, self.instances[self.instance].port, timeout=SLOWEST + 6)
            headers = {"Authorization": f"Bearer {self.load.site.token}", "Content-Type": "application/scim+json", **dict(headers)}
            self.connection.request(method, f"/scim/v2{path}", body and json.dumps(body), headers)
            response = self.connection.getresponse()
            text, found = response.read(), response.headers
            status = response.status
        except TimeoutError:
            self.load.problem(f"{method} {path}: no response within {SLOWEST + 6} s")
            self.close()
        except (OSError, http.client.HTTPException):
            self.close()
        self.used = time.monotonic()
        self.load.record(self.instance, method, status, started, self.used)
        if status == 503 and not found.get("Retry-After"):
            self.load.problem(f"{method} {path}: 503 without Retry-After")
        if status is not None and status not in {200, 201, 204, 404, 409, 412, 503}:
            self.load.problem(f"{method} {path}: {status} {text.decode()[:300]}")
        try:
            return status, json.loads(text) if text else {}, found.get("ETag")
        except ValueError:
            self.load.problem(f"{method} {path}: {status}, the body is no JSON")
            return status, {}, None

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def insist(self, method, path, body=None, headers=()):
        """Repeats a request until it is served or refused, or the load ends. Returns whether an earlier one may have been carried out, too."""
        is_repeated = False
        while True:
            status, found, tag = self.send(method, path, body, headers)
            if status not in {None, 503} or self.load.has_ended() or self.is_retired:
                return status, found, tag, is_repeated
            is_repeated = True
            if status is None:
                self.instance = (self.instance + 1) % len(self.instances)
            self.load.ended.wait(PAUSE)

    def expect(self, status, allowed, what):
        if status not in {*allowed, None, 503}:
            self.load.problem(f"{what}: {status}")

    # What a client does

    def run(self):
        try:
            self.racer = self.create(f"racer-{self.number}")
            actions = [self.create_own, self.change_own, self.change_shared, self.race_to_rename, self.race_to_create, self.delete_own, self.read_own]
            weights = [25, 30, 20, 10, 5, 5, 5]
            while self.load.goes_on() and not self.is_retired:
                self.random.choices(actions, weights)[0]()
        except Exception as error:
            self.load.problem(f"client {self.number} ended: {error!r}")
        finally:
            self.close()

    def create(self, name):
        """Creates a user with a name that no other client uses, and returns its record, or None if it is unknown whether it is there."""
        record = Record(name)
        self.load.records.append(record)
        record.send("userName", name)
        record.send("title", "0")
        status, found, _, is_repeated = self.insist("POST", "/Users", {"userName": name, "title": "0"})
        self.expect(status, {201, 409} if is_repeated else {201}, f"POST {name}")
        if status == 201:
            record.id, record.is_made = found["id"], True
            record.acknowledge("userName", name)
            record.acknowledge("title", "0")
            return record
        if status == 409:
            # An earlier request was carried out, without a response. The user counts as acknowledged after the first change.
            status, found, _, _ = self.insist("GET", f"/Users?filter=userName%20eq%20%22{name}%22")
            if status == 200 and found["Resources"]:
                record.id = found["Resources"][0]["id"]
                return record
        return None

    def create_own(self):
        record = self.create(f"user-{self.number}-{next(self.count)}")
        if record is not None:
            self.own.append(record)

    def change(self, record, attribute, value, allowed=frozenset({200}), headers=()):
        """Sets an attribute of a user that only this client changes."""
        record.send(attribute, value)
        status, found, tag, is_repeated = self.insist("PATCH", f"/Users/{record.id}", replace(attribute, value), headers)
        allowed = set(allowed) | ({404} if not record.is_made else set()) | ({412} if headers and is_repeated else set())
        self.expect(status, allowed, f"PATCH {attribute} of {record.name}")
        if status == 200:
            record.is_made = True
            record.acknowledge(attribute, value)
            if value_of(found, attribute) != value:
                self.load.problem(f"PATCH {attribute} of {record.name}: the response has {value_of(found, attribute)}, not {value}")
        return status, tag

    def change_own(self):
        if not self.own:
            return
        record = self.random.choice(self.own)
        status, tag = self.change(record, "title", str(next(self.count)))
        if status == 200 and tag and self.random.random() < 0.3:
            self.change(record, "title", str(next(self.count)), headers={"If-Match": tag})

    def change_shared(self):
        self.change(self.shared, self.attribute, str(next(self.count)))

    def race_to_rename(self):
        if self.racer is None:
            return
        is_wanted = self.random.random() < 0.6
        name = f"wanted-{self.random.randrange(WANTED_NAMES)}" if is_wanted else f"free-{self.number}-{next(self.count)}"
        self.change(self.racer, "userName", name, {200, 409})

    def race_to_create(self):
        """Creates a user with a name that other clients use at about the same time."""
        name = f"raced-{next(self.load.raced) // 4}"
        record = Record(name)
        record.send("userName", name)
        status, found, _, _ = self.insist("POST", "/Users", {"userName": name})
        self.expect(status, {201, 409}, f"POST {name}")
        if status == 201:
            record.id, record.is_made = found["id"], True
            self.load.records.append(record)

    def delete_own(self):
        if not self.own:
            return
        record = self.own.pop(self.random.randrange(len(self.own)))
        record.may_be_deleted = True
        status, _, _, is_repeated = self.insist("DELETE", f"/Users/{record.id}")
        self.expect(status, {204, 404} if is_repeated or not record.is_made else {204}, f"DELETE {record.name}")
        if status == 204:
            record.is_deleted = True
            status, _, _, _ = self.insist("GET", f"/Users/{record.id}")
            self.expect(status, {404}, f"GET {record.name} after DELETE")

    def read_own(self):
        if not self.own:
            return
        record = self.random.choice(self.own)
        status, found, _, _ = self.insist("GET", f"/Users/{record.id}")
        self.expect(status, {200} if record.is_made else {200, 404}, f"GET {record.name}")
        if status == 200:
            for difference in record.differences(found):
                self.load.problem(f"GET {difference}")


class Load:
    """Clients on all instances of a site."""

    def __init__(self, site, clients=CLIENTS, operations=None):
        self.site = site
        self.records, self.problems, self.responses = [], [], []
        self.raced, self.left = itertools.count(), operations
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.shared = []
        self.clients_count = clients

    def make_shared(self):
        """Creates the users that several clients change."""
        self.shared = [None] * (self.clients_count // len(SHARED) + 1)
        client = Client(self, 0)
        self.shared = [client.create(f"shared-{number}") for number in range(len(self.shared))]
        client.close()

    def start(self):
        self.make_shared()
        return self.start_clients()

    def start_clients(self):
        self.clients = [Client(self, number) for number in range(self.clients_count)]
        for client in self.clients:
            client.start()
        return self

    def goes_on(self):
        with self.lock:
            if self.left is None:
                return not self.ended.is_set()
            self.left -= 1
            return self.left >= 0 and not self.ended.is_set()

    def has_ended(self):
        return self.ended.is_set()

    def problem(self, text):
        self.problems.append(text)

    def record(self, instance, method, status, started, ended):
        self.responses.append((instance, method, status, started, ended))

    def acknowledged_since(self, instance, start):
        """Returns when a write that ended after this time was acknowledged first, by an instance; None if there is none."""
        times = (ended for at, method, status, _, ended in self.responses if at == instance and method != "GET" and status in {200, 201, 204} and ended > start)
        return min(times, default=None)

    def seconds_until_service(self, start):
        """Waits until all instances acknowledge writes again, and returns how long that took."""
        slowest = 0.0
        for instance in range(len(self.site.instances)):
            try:
                wait_until(lambda number=instance: self.acknowledged_since(number, start), f"service of instance {instance}", SLOWEST + RECOVERY)
            except RuntimeError as error:
                self.problem(str(error))
                return float("inf")
            slowest = max(slowest, self.acknowledged_since(instance, start) - start)
        if slowest > RECOVERY:
            self.problem(f"service was back only after {slowest:.1f} s")
        return slowest

    def retire(self):
        """Leaves one client on each instance."""
        for client in self.clients[len(self.site.instances) :]:
            client.is_retired = True

    def stop(self):
        self.ended.set()
        self.join()

    def join(self):
        for client in self.clients:
            seen = -1
            # As long as there are responses, the clients are at work.
            while client.is_alive() and seen != len(self.responses):
                seen = len(self.responses)
                client.join(SLOWEST + 6)
            if client.is_alive():
                self.problem(f"client {client.number} hangs")


# --- What must hold afterwards


def list_users(load):
    """Returns all users, page by page."""
    client = Client(load, 0)
    attributes = ",".join(["userName", *SHARED])
    users, cursor = [], ""
    while cursor is not None:
        status, page, _ = client.send("GET", f"/Users?count=200&cursor={cursor}&attributes={attributes}")
        if status != 200:
            raise RuntimeError(f"the users cannot be listed: {status} {page}")
        users += page["Resources"]
        cursor = page.get("nextCursor")
    client.close()
    return users


def missing_and_more(load):
    """Compares the users with what was acknowledged, and returns what was lost and what nobody sent."""
    users = list_users(load)
    by_id = {user["id"]: user for user in users}
    by_name = {user["userName"].lower(): user for user in users}
    lost, more = [], []
    if not len(users) == len(by_id) == len(by_name):
        more.append(f"{len(users)} users have {len(by_id)} ids and {len(by_name)} names")
    known = {"owner@example.com"}
    for record in load.records:
        # The user of a request without a response is known by its name only.
        user = by_id.get(record.id) if record.id else by_name.get(record.name)
        if user is None:
            if record.is_made and not record.may_be_deleted:
                lost.append(f"{record.name} is lost")
            continue
        known.add(user["userName"])
        if record.is_deleted:
            lost.append(f"{record.name} was deleted and is there")
        else:
            lost += record.differences(user)
    # A race whose response was lost may have made a user too.
    more += [f"nobody created {name}" for name in by_name if name not in known and not name.startswith("raced-")]
    return lost, more


def verify(load, server):
    """Returns what was lost, and adds to the problems of a load whatever does not hold."""
    lost, more = missing_and_more(load)
    for text in lost + more:
        load.problem(text)
    findings = json.loads(load.site.command("check", "--json"))["findings"]
    if findings:
        load.problem(f"check: {len(findings)} findings, such as {findings[0]}")
    versions = "SELECT count(*) FROM paradigm_scim.users u WHERE version <> (SELECT count(*) FROM paradigm_scim.changes_of(u.company, u.id))"
    if (number := server.query(versions)) != "0":
        load.problem(f"{number} users have more or fewer audit records than versions")
    if (number := server.query("SELECT deadlocks FROM pg_stat_database WHERE datname = 'scim'")) != "0":
        load.problem(f"{number} deadlocks")
    return len(lost)


# --- Scenarios

ROWS = []
HEADINGS = ["scenario", "requests", "acknowledged", "503", "cut off", "longest", "service after", "lost", "result"]


def report(name, load, back, server=None, may_cut=False):
    """Stops a load, checks what must hold, and adds a row to the table."""
    load.stop()
    lost = "?"
    try:
        lost = verify(load, server or load.site.primary)
    except RuntimeError as error:
        load.problem(str(error))
    responses = [response for response in load.responses if response[2] is not None]
    cut = len(load.responses) - len(responses)
    if cut and not may_cut:
        load.problem(f"{cut} connections were cut off")
    longest = max(ended - started for _, _, _, started, ended in load.responses)
    if longest > SLOWEST:
        load.problem(f"a response took {longest:.1f} s")
    acknowledged = sum(status in {200, 201, 204} and method != "GET" for _, method, status, _, _ in responses)
    refused = sum(status == 503 for _, _, status, _, _ in responses)
    service = "" if back is None else f"{back:.1f} s"
    result = "passed" if not load.problems else f"{len(load.problems)} PROBLEMS"
    ROWS.append([name, len(load.responses), acknowledged, refused, cut, f"{longest:.1f} s", service, lost, result])
    print(f"{name}: {result}", flush=True)
    if load.problems:
        for problem in load.problems[:20]:
            print(f"  {problem}")
        print("".join(f"  {line}\n" for line in load.site.logs().splitlines()[-10:]))


def now():
    return time.monotonic()


def serve_killed(options):
    """One of three processes is killed and started again."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(2)
        site.instances[0].kill()
        time.sleep(1)
        fixed = now()
        site.instances[0].start()
        # Clients of this instance went on to another one.
        for client in load.clients[::3]:
            client.instance = 0
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("serve killed, started again", load, back, may_cut=True)


def server_stopped(options):
    """The server is stopped without a checkpoint, as in a crash, and started again."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site).start()
        back = 0.0
        for _ in range(2):
            time.sleep(1.5)
            site.primary.control("stop", "immediate")
            time.sleep(1)
            fixed = now()
            site.primary.start_again()
            back = max(back, load.seconds_until_service(fixed))
        report("server stopped (immediate), twice", load, back)


def postmaster_killed(options):
    """The server's first process gets SIGKILL."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        site.primary.control("kill")
        time.sleep(1)
        fixed = now()
        site.primary.start_again()
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("postmaster killed", load, back)


def waiting_backends(site, action):
    """Cancels or terminates the backends whose commits wait for the standby, and returns how many."""
    sql = f"SELECT count({action}(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = '{SERVICE_ROLE}'"
    return int(site.primary.query(sql))


def standby_waits_are_cut_short(options):
    """While commits wait for the standby they are cancelled, terminated, and the primary crashes; then the standby is promoted.

    The standby never gets these commits, so a request that was acknowledged because the primary has its change is lost."""
    with Site(options.program, standby=True) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        site.standby.freeze()
        cut_short = {"pg_cancel_backend": 0, "pg_terminate_backend": 0}
        for action in cut_short:
            end = now() + 3
            while now() < end:
                cut_short[action] += waiting_backends(site, action)
                time.sleep(0.3)
        site.primary.control("stop", "immediate")
        site.primary.start_again()
        # Clients repeat what the primary has and the standby lacks.
        time.sleep(7)
        if not waiting_backends(site, "") or not all(cut_short.values()):
            load.problem(f"no commits waited: {cut_short}")
        site.primary.control("kill")
        fixed = now()
        # Sockets of the standby have what it has not received yet.
        site.standby.kill_frozen()
        site.standby.start_again()
        site.standby.control("promote")
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("standby waits cut short, promoted", load, back, site.standby)


def standby_returns(options):
    """Commits wait for a standby that stops for longer than requests do, and the clients repeat them until it is back."""
    with Site(options.program, standby=True) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        site.standby.freeze()
        time.sleep(7)
        waiting_backends(site, "pg_cancel_backend")
        fixed = now()
        site.standby.thaw()
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        # Everything acknowledged is on both.
        load.stop()
        site.primary.control("kill")
        site.standby.control("promote")
        report("standby stops and returns, promoted", load, back, site.standby)


def primary_hangs(options):
    """The first server of the URL accepts connections and never responds; the second one is promoted."""
    with Site(options.program, standby=True) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        # Few requests and many idle connections: the requests need not find out one by one that none responds.
        load.retire()
        time.sleep(1)
        site.primary.freeze()
        time.sleep(1)
        fixed = now()
        site.standby.control("promote")
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("primary hangs, standby promoted", load, back, site.standby)


def three_instances(options):
    """Many operations on three processes, without a fault."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site, 2 * CLIENTS, options.operations).start()
        load.join()
        report(f"{options.operations} operations on three", load, None)


def pool_exhausted(options):
    """One connection, and a lock on the table."""
    with Site(options.program) as site:
        site.serve(1, "--database-connections", "1")
        load = Load(site).start()
        time.sleep(1.5)
        site.hold("BEGIN; LOCK TABLE paradigm_scim.item IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)")
        time.sleep(8)
        fixed = now()
        site.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("one connection, table locked", load, back)


def server_full(options):
    """Others take all connections of the server."""
    with Site(options.program, "max_connections=16", "superuser_reserved_connections=3") as site:
        site.serve(3, "--database-connections", "4")
        load = Load(site).start()
        time.sleep(1)
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'filler'"
        while int(site.primary.query(count)) < 13:
            site.primary.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{SERVICE_ROLE}'")
            site.hold("SELECT pg_sleep(60)", name="filler")
            time.sleep(0.1)
        time.sleep(4)
        fixed = now()
        site.primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filler'")
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("server without free connections", load, back)


def read_only(options):
    """The database becomes read-only, and writable again."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        site.primary.query("ALTER SYSTEM SET default_transaction_read_only = on")
        site.primary.query("SELECT pg_reload_conf()")
        time.sleep(4)
        site.primary.query("ALTER SYSTEM RESET default_transaction_read_only")
        fixed = now()
        site.primary.query("SELECT pg_reload_conf()")
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("read-only database", load, back)


def server_hangs(options):
    """The server's processes stop, and go on."""
    with Site(options.program) as site:
        site.serve(3)
        load = Load(site).start()
        time.sleep(1.5)
        site.primary.freeze()
        time.sleep(16)
        fixed = now()
        site.primary.thaw()
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("server hangs for 16 s", load, back)


@contextlib.contextmanager
def small_disk(size):
    """A folder on a disk of its own in memory; None if this machine does not allow it."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-faults-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "faults", str(folder)]
    is_mounted = subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield folder if is_mounted else None
    finally:
        if is_mounted:
            # Lazily, because a process of the server may take a moment to end.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def is_running(server):
    try:
        process = (server.folder / "data/postmaster.pid").read_text().split()[0]
    except OSError:
        return False
    return Path("/proc", process).exists()


def disk_full(options):
    """No room for rows first, then none for the log of the database either, which stops the server."""
    with small_disk("160m") as disk:
        if disk is None:
            ROWS.append(["disk full", *[""] * 7, "NOT RUN: no mount"])
            return
        with Site(options.program, folder=disk / "server") as site:
            site.serve(3)
            load = Load(site).start()
            time.sleep(1)
            ballast = disk / "ballast"
            # Without a buffer, because closing it would fail too.
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            time.sleep(3)
            # Fills the log of the database, until the server ends.
            if site.hold("SELECT count(pg_logical_emit_message(false, 'faults', repeat('x', 1000000))) FROM generate_series(1, 100)").wait() == 0:
                load.problem("the log of the database was not filled")
            time.sleep(3)
            ballast.unlink()
            fixed = now()
            # It may have ended for good. Otherwise it starts again by itself.
            if not is_running(site.primary):
                site.primary.start_again()
            back = load.seconds_until_service(fixed)
            time.sleep(1)
            report("disk full", load, back)


def started_without_database(options):
    """`serve` starts while the server is down."""
    with Site(options.program) as site:
        # Creates the users that several clients change.
        load = Load(site)
        site.serve(1)
        load.make_shared()
        site.instances[0].kill()
        site.primary.control("stop", "fast")
        site.serve(2)
        text = "the database cannot be reached; requests are refused until it can be"
        wait_until(lambda: site.logs().count(text) == 2, "a line on standard error", 5)
        site.instances.pop(0)
        load.start_clients()
        time.sleep(3)
        if {status for _, _, status, _, _ in load.responses if status != 201} != {503}:
            load.problem("responses other than 503 while the server is down")
        fixed = now()
        site.primary.start_again()
        back = load.seconds_until_service(fixed)
        time.sleep(1)
        report("serve started while server is down", load, back)


SCENARIOS = [
    serve_killed,
    server_stopped,
    postmaster_killed,
    standby_waits_are_cut_short,
    standby_returns,
    primary_hangs,
    three_instances,
    pool_exhausted,
    server_full,
    read_only,
    server_hangs,
    disk_full,
    started_without_database,
]


def print_table():
    rows = [[str(cell) for cell in row] for row in [HEADINGS, *ROWS]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def is_carried_out(scenario, options):
    """Runs a scenario, and returns whether it came to its end. What it found is in the table."""
    started = now()
    try:
        scenario(options)
    except Exception as error:
        print(f"{scenario.__name__}: FAILED: {error!r}", flush=True)
        return False
    print(f"  {scenario.__name__}: {now() - started:.0f} s", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="the program `paradigm-scim`")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[scenario.__name__ for scenario in SCENARIOS], help="run only these scenarios")
    parser.add_argument("--operations", type=int, default=10_000, metavar="NUMBER", help="operations of three_instances (10000)")
    parser.add_argument("--repeat", type=int, default=1, metavar="NUMBER", help="run each scenario so often (1)")
    parser.add_argument("--at-once", type=int, default=2, metavar="NUMBER", help="scenarios at a time (2); most of them wait")
    options = parser.parse_args()
    options.program = str(Path(options.program).resolve())
    # So that servers and folders are removed then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.__name__ in options.only] * options.repeat
    with ThreadPoolExecutor(options.at_once) as pool:
        failures = sum(pool.map(lambda scenario: not is_carried_out(scenario, options), chosen))
    print()
    print_table()
    sys.exit(1 if failures or any(row[-1].endswith("PROBLEMS") for row in ROWS) else 0)


if __name__ == "__main__":
    main()
