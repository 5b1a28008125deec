"""Makes a directory with a past: companies, keys and users of the last weeks, for the browser test of the console.

Commands and servers of past days run with the library of `faketime`, so the audit trail has changes on many days.
"""

import contextlib
import datetime
import glob
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# How many users were brought in, by how many days ago that was.
ARRIVALS = {29: 48, 28: 9, 27: 3, 25: 12, 22: 5, 21: 7, 18: 15, 15: 4, 14: 6, 11: 9, 8: 3, 7: 8, 4: 11, 3: 2, 1: 6}
GIVEN = ["Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Grace", "Hedy", "John", "Katherine", "Margaret", "Radia"]
FAMILY = ["Byron", "Turing", "Liskov", "Shannon", "Knuth", "Dijkstra", "Hopper", "Lamarr", "Backus", "Johnson", "Hamilton", "Perlman"]

# What browsers, people and programs would take for something else; the last is as long as a name may be.
HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></textarea><svg onload=alert(1)>",
    "invoice\u202egpj.exe",
    "שלום \u2067עולם",
    "'; DROP TABLE users; --",
    "\U0001f600" * 256,
]


def days_from_now(days):
    """Returns a time of a day, as commands take it: the day is whole until the test has ended."""
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Directory:
    """A store, and the program that works on it."""

    def __init__(self, program, store, folder):
        self.program, self.store, self.folder = program, store, folder
        self.environment = {**os.environ, "SCIM_INSTANCE_ACTIVATION": "True"}

    def past(self, ago):
        """Returns the environment of so many days ago. The program `faketime` would stay between us and its child."""
        if not ago:
            return self.environment
        library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")))
        return {**self.environment, "LD_PRELOAD": library, "FAKETIME": f"-{ago}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def command(self, *words, ago=0):
        """Runs a command, as if it were so many days ago, and returns what it printed."""
        command = [self.program, *words, *self.store, "--json"]
        done = subprocess.run(command, env=self.past(ago), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)

    def import_users(self, company, users, ago):
        file = self.folder / "users"
        file.write_text("".join(f"{json.dumps(user)}\n" for user in users))
        self.command("user", "import", str(file), "--company", company, ago=ago)

    @contextlib.contextmanager
    def serving(self, *arguments, ago=0):
        """Runs `serve`, as if it were so many days ago, and yields its base URL."""
        out, log = self.folder / "serve.out", self.folder / "serve.log"
        command = [self.program, "serve", "--listen", "127.0.0.1:0", *arguments, *self.store]
        with out.open("w") as stdout, log.open("a") as stderr:
            server = subprocess.Popen(command, env=self.past(ago), stdout=stdout, stderr=stderr)
        try:
            last = "Console: " if "--console" in arguments else "Tenant URL: "
            while last not in out.read_text():
                if server.poll() is not None:
                    raise SystemExit(f"serve ended: {log.read_text()}")
                time.sleep(0.02)
            url = next(line for line in out.read_text().splitlines() if line.startswith("Tenant URL: "))
            yield url.removeprefix("Tenant URL: ").split("/?")[0]
        finally:
            server.terminate()
            status = server.wait()
        assert status == 0, status

    def with_key(self, company, owner, name, expires, ago):
        """Creates a key, and returns its id and its token."""
        words = ["key", "create", "--company", company, "--owner", owner, "--name", name]
        key = self.command(*words, "--expires", expires, ago=ago)
        return key["id"], key["token"]

    def with_administrator(self, company, name, ago):
        self.command("user", "create", name, "--company", company, "--display-name", "SCIM administrator", ago=ago)
        self.command("user", "grant", name, "--company", company, ago=ago)


def send(base, token, method, path, body=None):
    """Sends a request and returns status and body."""
    request = urllib.request.Request(f"{base}{path}", method=method, data=body and json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {token}")
    request.add_header("content-type", "application/scim+json")
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def patch(base, token, user, *operations):
    body = {"Operations": [{"op": "replace", "path": path, "value": value} for path, value in operations]}
    status, _ = send(base, token, "PATCH", f"/Users/{user}", body)
    assert status == 200, (status, operations)


def newcomers():
    """Yields people, all different."""
    number = 0
    while True:
        given, family = GIVEN[number % 12], FAMILY[(number // 12 + number * 5) % 12]
        name = f"{given}.{family}{number // 12 or ''}@acme.example".lower()
        emails = [{"value": name, "type": "work", "primary": True}]
        yield {
            "userName": name, "externalId": f"E-{1000 + number}", "displayName": f"{given} {family}", "emails": emails,
            "name": {"givenName": given, "familyName": family},
        }
        number += 1


class Past:
    """The companies, keys and users that the tour meets."""

    def __init__(self, directory):
        self.acme = directory.command("company", "create", "Acme", ago=60)["id"]
        self.globex = directory.command("company", "create", "Globex", ago=40)["id"]
        for company, name in [(self.acme, "scim@acme.example"), (self.globex, "scim@globex.example")]:
            directory.with_administrator(company, name, ago=39)
        self.entra, self.token = directory.with_key(self.acme, "scim@acme.example", "Entra", days_from_now(12), ago=39)
        directory.with_key(self.acme, "scim@acme.example", "Old script", "never", ago=38)
        _, globex = directory.with_key(self.globex, "scim@globex.example", "Okta", days_from_now(300), ago=39)
        people = newcomers()
        for ago, count in ARRIVALS.items():
            directory.import_users(self.acme, [next(people) for _ in range(count)], ago)
        self.life(directory)
        with directory.serving(ago=1) as base:
            assert send(base, globex, "GET", "/Me")[0] == 200

    def life(self, directory):
        """Lets one user live: created, changed, deactivated, restored, changed, soft-deleted."""
        self.name = "augusta@acme.example"
        user = {
            "userName": self.name, "externalId": "E-1", "displayName": "Augusta King", "title": "Analyst",
            "name": {"givenName": "Augusta", "familyName": "King"},
            "emails": [{"value": self.name, "type": "work", "primary": True}],
        }
        department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
        with directory.serving(ago=26) as base:
            status, created = send(base, self.token, "POST", "/Users", user)
            assert status == 201, created
        self.user = created["id"]
        for ago, operations in [
            (20, [("title", "Senior analyst"), (department, "Engines")]),
            (12, [("active", False)]),
            (9, [("active", True)]),
            (2, [("displayName", "Augusta Ada King")]),
        ]:
            with directory.serving(ago=ago) as base:
                patch(base, self.token, self.user, *operations)

    def today(self, base):
        """Sends what a provider sends today, and some requests that are refused."""
        for path in ["/ServiceProviderConfig", "/Users?count=1", "/Me"]:
            send(base, self.token, "GET", path)
        renamed = f"{'0123456789abcdef' * 2}{self.name}"
        patch(base, self.token, self.user, ("active", False), ("userName", renamed))
        taken = {"userName": "scim@acme.example"}
        for method, path, body, expected in [
            ("POST", "/Users", taken, 409),
            ("GET", "/Users?filter=department%20xx%20%22a%22", None, 400),
            ("PATCH", f"/Users/{self.user}", {"Operations": [{"op": "replace", "path": "active", "value": "no"}]}, 400),
            ("GET", "/Users/01890000-0000-7000-8000-000000000001", None, 404),
            ("POST", "/Groups", {"displayName": "Engineers"}, 501),
        ]:
            status, _ = send(base, self.token, method, path, body)
            assert status == expected, (method, path, status)


def add_hostile(directory):
    """Adds a company whose every name is hostile, and returns its id."""
    company = directory.command("company", "create", HOSTILE[0])["id"]
    users = [
        {"userName": f"{number}{name}"[:256], "displayName": name, "title": name, "externalId": name}
        for number, name in enumerate(HOSTILE)
    ]
    directory.import_users(company, users, ago=0)
    directory.with_administrator(company, "scim@hostile.example", ago=0)
    for name in HOSTILE[:4]:
        directory.with_key(company, "scim@hostile.example", name[:50], "never", ago=0)
    return company


def postgresql(program, folder):
    """Makes a database on the server of `scripts/postgres run`, and returns the arguments that lead there."""
    superuser = os.environ["SCIM_TEST_POSTGRES"]
    roles = ["psql", "--quiet", "--dbname", superuser, "-v", "ON_ERROR_STOP=1", "-v", "database=scim"]
    subprocess.run([*roles, "-f", "scripts/postgres-roles.sql"], check=True)
    files = {}
    for role in ["owner", "service"]:
        url = superuser.replace("//postgres@", f"//paradigm_scim_{role}@").replace("/postgres?", "/scim?")
        files[role] = folder / role
        files[role].write_text(url)
    migrate = [program, "database", "migrate", "--database-url-file", files["owner"]]
    subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL)
    return ["--database-url-file", str(files["service"])]


def embedded(folder: Path):
    """Returns the arguments that lead to a new embedded store."""
    return ["--data-dir", str(folder / "store")]
