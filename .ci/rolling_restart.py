#!/usr/bin/env python3
"""Restarts two instances behind HAProxy, one after the other, while clients write: no request may fail.

  .ci/rolling_restart.py PROGRAM [--previous PROGRAM] [--rounds NUMBER]

The instances use one PostgreSQL database, as docs/serving.md says. With --previous they are of that program first, and the restarts bring them to
PROGRAM, after its migration. Clients and checks are those of postgres_faults.py.
"""

import argparse
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from postgres_faults import HOST, Load, Site, free_port, report, run, wait_until
from proxies import Process, wait_for

# The proxy finds out within this time that an instance is not ready: two checks, of which one may just have begun.
DRAIN_DELAY = 3

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind {host}:{port}
  default_backend scim
backend scim
  option httpchk GET /readyz
  retry-on conn-failure empty-response
  option redispatch 1
  default-server check inter 500ms fall 2 rise 1
{servers}
"""


class Proxy:
    """What clients address instead of an instance."""

    def __init__(self, port, instances):
        self.port, self.instances = port, instances
        self.log = instances[0].log

    def kill(self):
        for instance in self.instances:
            instance.kill()


def is_ready(port):
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=4) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def restart(instance, admin_port, program):
    """Ends an instance as a service manager does, starts the program in its place, and waits until the proxy has seen it."""
    status = instance.stop()
    if status != 0:
        sys.exit(f"serve ended with status {status}\n{instance.log.read_text()[-2000:]}")
    instance.command[0] = program
    instance.start()
    wait_until(lambda: is_ready(admin_port), "readiness")
    time.sleep(1.5)


def configuration(port, instances, admin_ports):
    lines = [f"  server scim{number} {HOST}:{instance.port} port {admin}" for number, (instance, admin) in enumerate(zip(instances, admin_ports, strict=True))]
    return HAPROXY.format(host=HOST, port=port, servers="\n".join(lines))


def roll(options):
    first = options.previous or options.program
    with Site(first) as site:
        admin_ports = [free_port(), free_port()]
        for admin_port in admin_ports:
            site.serve(1, "--admin-listen", f"{HOST}:{admin_port}", "--drain-delay", str(DRAIN_DELAY))
        instances = list(site.instances)
        port = free_port()
        file = site.folder / "haproxy.cfg"
        file.write_text(configuration(port, instances, admin_ports))
        with Process(["haproxy", "-db", "-f", str(file)], stderr=subprocess.DEVNULL) as haproxy:
            wait_for(port, haproxy)
            for admin_port in admin_ports:
                wait_until(lambda admin_port=admin_port: is_ready(admin_port), "readiness")
            time.sleep(1.5)
            site.instances[:] = [Proxy(port, instances)]
            load = Load(site).start()
            time.sleep(2)
            site.program = options.program
            run(options.program, "database", "migrate", "--database-url-file", site.folder / "paradigm_scim_owner")
            for _ in range(options.rounds):
                for instance, admin_port in zip(instances, admin_ports, strict=True):
                    restart(instance, admin_port, options.program)
            time.sleep(1)
            load.ended.set()
            load.join()
            refused = sum(status == 503 for _, _, status, _, _ in load.responses)
            if refused:
                load.problem(f"{refused} requests got 503")
            report("rolling restart", load, None)
            statuses = sorted({status for _, _, status, _, _ in load.responses if status is not None})
            print(f"{len(load.responses)} requests while {2 * options.rounds} instances were restarted; statuses {statuses}, 503 {refused}, cut off {sum(status is None for _, _, status, _, _ in load.responses)}")
            return not load.problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="the program `paradigm-scim`")
    parser.add_argument("--previous", help="the program of the release before, which runs first")
    parser.add_argument("--rounds", type=int, default=2, metavar="NUMBER", help="how often each instance is restarted (2)")
    options = parser.parse_args()
    if shutil.which("haproxy") is None:
        sys.exit("haproxy is missing; Debian: apt-get install haproxy")
    options.program = str(Path(options.program).resolve())
    options.previous = options.previous and str(Path(options.previous).resolve())
    sys.exit(0 if roll(options) else 1)


if __name__ == "__main__":
    main()
