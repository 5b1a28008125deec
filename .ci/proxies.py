#!/usr/bin/env python3
"""Attackers and victims share the connections of HAProxy and nginx to `serve`: no response goes to the wrong request.

  .ci/proxies.py PROGRAM   with the program `paradigm-scim` to start

The traffic comes from crates/cli/tests/it/desynchronisation.rs. Each proxy runs in a temporary folder, on a free port, until its turn ends.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
# Conversations of each of the three attackers, through each proxy.
CASES = os.environ.get("DESYNCHRONISATION_CASES", "300")
TEST = "desynchronisation::through_a_proxy"
LIMITS = ["--key-rate", "1000000", "--key-concurrency", "1000"]

# Each proxy, and whether it buffers the bodies of requests (None if one cannot choose).
PROXIES = [("haproxy", None), ("nginx, bodies buffered", "on"), ("nginx, bodies passed on", "off")]

# One thread and few connections to the server, so that clients have to share them.
HAPROXY = """
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend clients
  bind {host}:{port}
  default_backend scim
backend scim
  http-reuse always
  server serve {server} maxconn 4 pool-max-conn 4
"""

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  # A victim keeps its connection until the end.
  keepalive_requests 1000000;
  upstream scim {{
    server {server};
    keepalive 4;
    keepalive_timeout 5s;
  }}
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://scim;
      proxy_http_version 1.1;
      proxy_request_buffering {buffering};
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


class Process:
    """A program that runs until the block ends."""

    def __init__(self, command, **options):
        self.command, self.options = command, options

    def __enter__(self):
        self.process = subprocess.Popen(self.command, **self.options)
        return self.process

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def wait_for(port, process):
    for _ in range(100):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with status {process.returncode}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{process.args[0]} does not listen")


def command_of(buffering, folder, port, server):
    """Writes the configuration of a proxy and returns the command that starts it: HAProxy if `buffering` is None, otherwise nginx."""
    user = "user root;" if os.geteuid() == 0 else ""
    path = folder / f"{port}.conf"
    template = HAPROXY if buffering is None else NGINX
    path.write_text(template.format(host=HOST, port=port, server=server, folder=folder, user=user, buffering=buffering))
    if buffering is None:
        return ["haproxy", "-db", "-f", str(path)]
    return ["nginx", "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(path)]


def victim(url, token):
    """Creates a user that the attacks try to delete, and returns its id."""
    body = json.dumps({"userName": "victim@example.com"}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/Users", body, headers)) as response:
        return json.load(response)["id"]


def is_there(url, token, user):
    request = urllib.request.Request(f"{url}/Users/{user}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as response:
        return response.status == 200


def run(name, port, url, token):
    """Sends the traffic through a proxy, and returns whether all of it succeeded."""
    user = victim(url, token)
    environment = os.environ | {
        "DESYNCHRONISATION_PROXY": f"{HOST}:{port}",
        "DESYNCHRONISATION_USER": user,
        "DESYNCHRONISATION_CASES": CASES,
        "SCIM_TOKEN": token,
    }
    command = ["cargo", "test", "--quiet", "-p", "cli", "--test", "program", "--", "--ignored", "--exact", "--nocapture", TEST]
    test = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    counts = re.search(r"\d+ conversations, .*", test.stdout)
    # If there are no counts, the test has not run, whatever its status.
    if test.returncode != 0 or counts is None:
        print(test.stdout[-8000:])
        print(f"{name}: FAILED")
        return False
    print(f"{name}: {counts[0]}", flush=True)
    if not is_there(url, token, user):
        print(f"{name}: FAILED, the victim was deleted")
        return False
    return True


def take_turn(program, name, buffering):
    """Starts `serve` and a proxy, and sends the traffic through them."""
    serve = [program, "serve", "--in-memory", "--listen", f"{HOST}:0", *LIMITS]
    environment = os.environ | {"SCIM_INSTANCE_ACTIVATION": "True", "SCIM_LOG": "error"}
    with tempfile.TemporaryDirectory() as folder, Process(serve, stdout=subprocess.PIPE, text=True, env=environment) as server:
        url = server.stdout.readline().removeprefix("Tenant URL: ").split("/?")[0]
        token = server.stdout.readline().strip().removeprefix("Secret token: ")
        port = free_port()
        command = command_of(buffering, Path(folder), port, url.removeprefix("http://").split("/")[0])
        with Process(command, stderr=subprocess.DEVNULL) as process:
            wait_for(port, process)
            return run(name, port, url, token)


def main():
    for program in ("haproxy", "nginx"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing; Debian: apt-get install {program}")
    failures = 0
    for name, buffering in PROXIES:
        failures += not take_turn(sys.argv[1], name, buffering)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
