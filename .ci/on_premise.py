#!/usr/bin/env python3
"""Installs the service as docs/on-premise.md says, in containers of their own: image, Debian package and compose stack.

  .ci/on_premise.py           everything; needs root, Docker, docker-compose, debootstrap and cargo-deb
  .ci/on_premise.py debian    only the package, with the program of the image that was built last

1. It builds the image from the last commit. Where no image can be pulled it makes stand-ins from Debian, with this machine's Rust.
2. It makes the Debian package with the program from the image.
3. It starts an empty Debian with systemd, and runs the commands of docs/on-premise.md there, word for word: install, back up, restore.
4. It starts the compose stack.

In 3 and 4 `doctor` and the simulated providers have to pass over TLS.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/on-premise.md"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
IMAGE = "paradigm-scim"
DEBIAN = "paradigm-scim-debian"
# Packages that every Debian with systemd has, and what the test itself needs.
DEBIAN_PACKAGES = ["ca-certificates", "curl", "dbus", "systemd-sysv"]
NAME = "scim.example.com"
TENANT_URL = f"https://{NAME}/scim/v2/?aadOptscim062020"
PROVIDERS = (("entra", "--flag"), ("entra", "--no-flag"), ("okta",), ("authentik",), ("midpoint",))
# The plugin of Docker, or the program that it replaced.
HAS_PLUGIN = subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0
COMPOSE_PROGRAM = ["docker", "compose"] if HAS_PLUGIN else ["docker-compose"]
# Worse than this is not "OK" for systemd-analyze, whose scale ends at 100.
WORST_EXPOSURE = 49
# What the entrypoint of PostgreSQL's image does, as far as the compose file needs it.
POSTGRES_ENTRYPOINT = """#!/bin/bash
set -eu
export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
  install -d -m 700 -o postgres -g postgres "$PGDATA" /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --silent --options="-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
  pg_ctl --wait --silent --mode=fast stop
fi
exec "$@" -c listen_addresses='*'
"""


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, text=True, **options)


def output_of(*command, **options):
    return run(*command, stdout=subprocess.PIPE, **options).stdout


def say(text):
    print(f"-- {text}", flush=True)


def has_image(name):
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode == 0


def can_pull(name):
    return subprocess.run(["docker", "pull", "--quiet", name], capture_output=True).returncode == 0


def make_image(name, packages, fill, *changes):
    """Makes an image of Debian with some packages. `fill` puts what else it needs into its root."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        result = subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", "bookworm", root], stdout=subprocess.PIPE, text=True)
        if result.returncode != 0:
            sys.exit(f"debootstrap failed\n{result.stdout[-4000:]}")
        fill(root)
        archive = subprocess.Popen(["tar", "--directory", root, "--create", "."], stdout=subprocess.PIPE)
        options = [option for change in changes for option in ("--change", change)]
        run("docker", "import", *options, "-", name, stdin=archive.stdout, stdout=subprocess.DEVNULL)


def add_rust(root):
    """Adds the compiler of this machine, and the crates that it has fetched."""
    run("cargo", "fetch", "--locked", "--quiet", cwd=ROOT)
    compiler = Path(output_of("rustc", "--print", "sysroot").strip())
    shutil.copytree(compiler, root / "usr/local/rust", symlinks=True, ignore=shutil.ignore_patterns("doc", "man", "*.html"))
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for part in ("config.toml", "registry/index", "registry/cache"):
        if (cargo / part).is_dir():
            shutil.copytree(cargo / part, root / "usr/local/cargo" / part)
        elif (cargo / part).exists():
            (root / "usr/local/cargo").mkdir(exist_ok=True)
            shutil.copy(cargo / part, root / "usr/local/cargo" / part)


def add_postgres_entrypoint(root):
    entrypoint = root / "entrypoint.sh"
    entrypoint.write_text(POSTGRES_ENTRYPOINT)
    entrypoint.chmod(0o755)
    (root / "docker-entrypoint-initdb.d").mkdir()


def image_or_stand_in(name, stand_in, *recipe):
    """Returns an image, or a stand-in with a name of its own if it cannot be pulled."""
    if has_image(name) or can_pull(name):
        return name
    if not has_image(stand_in):
        say(f"{name} cannot be pulled; making a stand-in from Debian")
        make_image(stand_in, *recipe)
    return stand_in


def rust_image():
    environment = "ENV PATH=/usr/local/rust/bin:/usr/bin:/bin CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true"
    return image_or_stand_in("rust:1.95-bookworm", "paradigm-scim-rust", ["ca-certificates", "gcc", "libc6-dev"], add_rust, environment)


def postgres_image():
    start = ['ENTRYPOINT ["/entrypoint.sh"]', 'CMD ["postgres"]']
    return image_or_stand_in("postgres:15-bookworm", "paradigm-scim-postgres", ["postgresql-15"], add_postgres_entrypoint, *start)


def ensure_debian():
    if has_image(DEBIAN):
        return
    say("making an empty Debian with systemd")
    if can_pull("debian:bookworm-slim"):
        recipe = f"FROM debian:bookworm-slim\nRUN apt-get update && apt-get install --yes --no-install-recommends {' '.join(DEBIAN_PACKAGES)}\n"
        run("docker", "build", "--quiet", "--tag", DEBIAN, "-", input=recipe, stdout=subprocess.DEVNULL)
    else:
        make_image(DEBIAN, DEBIAN_PACKAGES, lambda _: None)


def build_image():
    say("building the image")
    rust = f"RUST_IMAGE={rust_image()}"
    archive = subprocess.Popen(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE)
    build = ["docker", "build", "--quiet", "--build-arg", rust, "--file", "deploy/container/Containerfile", "--tag", IMAGE, "-"]
    run(*build, stdin=archive.stdout, stdout=subprocess.DEVNULL)
    print(f"image: {int(output_of('docker', 'image', 'inspect', '--format', '{{.Size}}', IMAGE)):,} bytes")


def make_package():
    """Makes the Debian package with the program from the image, and returns its file."""
    say("making the package")
    program = TARGET / "fast/paradigm-scim"
    program.parent.mkdir(parents=True, exist_ok=True)
    container = output_of("docker", "create", IMAGE).strip()
    try:
        run("docker", "cp", f"{container}:/usr/bin/paradigm-scim", program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        run("docker", "rm", container, stdout=subprocess.DEVNULL)
    path = f"{TARGET}/tools/bin:{os.environ['PATH']}"
    made = output_of("cargo", "deb", "--package", "cli", "--profile", "fast", "--no-build", "--no-strip", cwd=ROOT, env=os.environ | {"PATH": path})
    package = Path(made.strip().splitlines()[-1])
    print(f"program: {program.stat().st_size:,} bytes; package: {package.stat().st_size:,} bytes ({package.name})")
    return package


def make_certificate(folder):
    """Makes an authority and a certificate of it for the name in the documentation."""
    authority = ["-x509", "-keyout", folder / "authority.key", "-out", folder / "authority.crt", "-subj", "/CN=Authority of the test"]
    certificate = ["-CA", folder / "authority.crt", "-CAkey", folder / "authority.key", "-x509", "-keyout", folder / "key.pem", "-out", folder / "chain.pem"]
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=critical,CA:false"]
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"]
    run(*new, *authority, stderr=subprocess.DEVNULL)
    run(*new, *certificate, *names, stderr=subprocess.DEVNULL)


def commands_of(section):
    """Returns the blocks of commands in a section of the page, each with its lines as a reader would copy them."""
    text = PAGE.read_text()
    match = re.search(rf"^(#+) {re.escape(section)}\n", text, re.MULTILINE)
    if match is None:
        sys.exit(f"{PAGE.name} has no section {section!r}")
    level = len(match[1])
    rest = text[match.end():]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    rest = rest[: end.start()] if end else rest
    blocks = re.findall(r"^( *)```console\n(.*?)^ *```$", rest, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


class Machine:
    """A Debian with systemd that runs until the block ends."""

    def __enter__(self):
        # What systemd needs to start units with their sandboxes.
        rights = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
        files = ["--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
        names = ["--hostname", "scim", "--add-host", f"{NAME}:127.0.0.1"]
        self.container = output_of("docker", "run", "--detach", *rights, *files, *names, DEBIAN, "/lib/systemd/systemd").strip()
        for _ in range(60):
            if subprocess.run(["docker", "exec", self.container, "systemctl", "is-system-running"], capture_output=True, text=True).stdout.strip() == "running":
                return self
            time.sleep(0.5)
        sys.exit("systemd does not start in the container")

    def __exit__(self, *_):
        run("docker", "rm", "--force", self.container, stdout=subprocess.DEVNULL)

    def put(self, file, place):
        run("docker", "cp", file, f"{self.container}:{place}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, script):
        """Runs a script of bash, prints its lines and their output, and ends the program if a command fails."""
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
            file.write(script)
            file.flush()
            self.put(file.name, "/root/script")
        run("docker", "exec", "--env", "DEBIAN_FRONTEND=noninteractive", self.container, "bash", "-euv", "-o", "pipefail", "/root/script", stderr=subprocess.STDOUT)


def on_debian(package):
    say("an empty Debian, by the words of docs/on-premise.md")
    with tempfile.TemporaryDirectory() as text, Machine() as machine:
        folder = Path(text)
        make_certificate(folder)
        machine.put(folder / "authority.crt", "/usr/local/share/ca-certificates/authority.crt")
        for file in (package, folder / "chain.pem", folder / "key.pem"):
            machine.put(file, "/root/")
        machine.run("update-ca-certificates >/dev/null 2>&1")
        machine.run("\n".join(script_of_the_page()))


def script_of_the_page():
    """Returns the commands of the page, and between them what happens to a directory from the outside."""
    yield "cd /root"
    yield from commands_of("Install on Debian")
    yield f"systemd-analyze security --threshold={WORST_EXPOSURE} --no-pager paradigm-scim | tail -n 1"
    yield from (f"paradigm-scim simulate {' '.join(provider)} --url '{TENANT_URL}' --token-file token | tail -n 1" for provider in PROVIDERS[1:])
    yield "systemctl reload paradigm-scim"
    yield from dump_and_restore()
    yield from restore_to_a_point_in_time()
    yield "curl --silent --show-error --fail --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:9090/readyz"
    yield f"paradigm-scim doctor --url '{TENANT_URL}' --token-file token"


def users(arguments, *checks):
    """Returns commands that list users, and check that names are there, or are not."""
    yield f"users=$({arguments})"
    yield from (f'grep --quiet {name} <<<"$users"' if is_there else f'! grep {name} <<<"$users" || false' for name, is_there in checks)


def dump_and_restore():
    """A user is erased after the backup: the restore brings the user back, and the replay erases the user again."""
    stop, restore, *rest = commands_of("Restore a dump")
    yield "scim user create ada@example.com --company Acme"
    yield from commands_of("A dump every day")
    yield "scim erase ada@example.com --company Acme"
    yield stop
    yield restore
    yield from users("paradigm-scim user list --company Acme --database-url-file restored-database-url", ("ada", True))
    yield from rest
    yield from users("scim user list --company Acme", ("ada", False), ("scim-service", True))


def restore_to_a_point_in_time():
    """The archived log brings back what happened after the base backup."""
    stop, *rest = commands_of("Restore to a point in time")
    yield "scim user create bob@example.com --company Acme"
    yield from commands_of("Any point in time")
    yield "systemctl restart paradigm-scim"
    yield "scim user create carol@example.com --company Acme"
    yield "scim erase bob@example.com --company Acme"
    yield stop
    # The page says to wait for this.
    yield "for _ in $(seq 100); do [ -z \"$(find /var/lib/postgresql/15/main/pg_wal/archive_status -name '*.ready')\" ] && break; sleep 0.1; done"
    yield from rest
    yield from users("scim user list --company Acme", ("bob", False), ("carol", True), ("scim-service", True))


class Stack:
    """The compose stack, until the block ends. Its files are copies, because `prepare` writes beside them."""

    def __init__(self, folder):
        self.folder = folder / "deploy/compose"
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/postgres-roles.sql", folder / "scripts")
        settings = {"SCIM_ADDRESS": "127.0.0.1", "SCIM_PORT": "8443", "SCIM_ADMIN_PORT": "9191", "POSTGRES_IMAGE": postgres_image()}
        self.environment = os.environ | {"COMPOSE_PROJECT_NAME": "scim-test"} | settings

    def compose(self, *arguments, **options):
        return run(*COMPOSE_PROGRAM, *arguments, cwd=self.folder, env=self.environment, **options)

    def restore(self):
        """Restores the newest backup by the words of the page."""
        script = "\n".join(commands_of("Docker Compose")[1:])
        # An older Docker has the program docker-compose instead of `docker compose`.
        function = "docker() { if [ \"$1\" = compose ]; then shift; " + " ".join(COMPOSE_PROGRAM).replace("docker ", "command docker ") + " \"$@\"; else command docker \"$@\"; fi; }\n"
        run("bash", "-euv", "-o", "pipefail", "-c", function + script, cwd=self.folder, env=self.environment, stderr=subprocess.STDOUT)

    def newest_dump(self):
        script = 'pg_restore --file - "$(ls /backups/scim-*.dump | tail -n 1)"'
        return self.compose("exec", "-T", "backup", "sh", "-c", script, stdout=subprocess.PIPE).stdout

    def scim(self, *arguments):
        made = self.compose("run", "--rm", "-T", "scim", *arguments, "--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return json.loads(made.stdout)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.compose("logs", "--tail", "30")
        self.compose("down", "--volumes", "--timeout", "30", stderr=subprocess.DEVNULL)


def with_compose():
    say("the compose stack")
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        make_certificate(folder)
        up = Stack(folder)
        run(up.folder / "prepare", folder / "chain.pem", folder / "key.pem")
        stack.enter_context(up)
        up.compose("up", "--detach", "--quiet-pull", stderr=subprocess.DEVNULL)
        up.scim("company", "create", "Acme")
        up.scim("user", "create", "scim-service", "--company", "Acme")
        up.scim("user", "grant", "scim-service", "--company", "Acme")
        token = up.scim("key", "create", "--company", "Acme", "--owner", "scim-service", "--name", "Entra", "--expires", "never")["token"]
        check_from_outside(folder, token)
        up.compose("kill", "-s", "HUP", "scim", stderr=subprocess.DEVNULL)
        up.scim("user", "create", "ada@example.com", "--company", "Acme")
        up.compose("restart", "backup", stderr=subprocess.DEVNULL)
        wait_until(lambda: "ada" in up.newest_dump(), "a backup with the new user")
        up.scim("erase", "ada@example.com", "--company", "Acme")
        up.restore()
        if any(user["userName"] == "ada@example.com" for user in up.scim("user", "list", "--company", "Acme")):
            sys.exit("the user who was erased is there again")
        check_from_outside(folder, token)


def check_from_outside(folder, token):
    """Checks the stack by its name, over TLS, with the program of the image, which trusts the authority of the test."""
    url = TENANT_URL.replace(NAME, f"{NAME}:8443")
    network = ["--network", "host", "--add-host", f"{NAME}:127.0.0.1"]
    trust = ["--volume", f"{folder}/authority.crt:/authority.crt:ro", "--env", "SSL_CERT_FILE=/authority.crt"]
    program = ["docker", "run", "--rm", *network, *trust, "--env", "SCIM_TOKEN", IMAGE]
    environment = os.environ | {"SCIM_TOKEN": token}
    wait_until(lambda: subprocess.run(["curl", "--silent", "--fail", "http://127.0.0.1:9191/readyz"], capture_output=True).returncode == 0, "readiness")
    run(*program, "doctor", "--url", url, env=environment)
    for provider in PROVIDERS:
        report = output_of(*program, "simulate", *provider, "--url", url, env=environment)
        print(report.strip().splitlines()[-1])


def wait_until(holds, what):
    for _ in range(120):
        if holds():
            return
        time.sleep(0.5)
    sys.exit(f"the compose stack has not within a minute: {what}")


def main():
    for program in ("docker", COMPOSE_PROGRAM[0]):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing")
    ensure_debian()
    if sys.argv[1:] != ["debian"]:
        build_image()
    on_debian(make_package())
    if sys.argv[1:] != ["debian"]:
        with_compose()


if __name__ == "__main__":
    main()
