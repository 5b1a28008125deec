"""Fails unless the log of `serve` has a success of every operation that can succeed, and the key still works.

    reached.py LOG
"""

import collections
import json
import os
import re
import sys
import urllib.request

LINE = re.compile(r"INFO (?P<route>[A-Z]+ /\S*) status=(?P<status>\d+)")


def get(path):
    request = urllib.request.Request(
        os.environ["SCIM_URL"] + path, headers={"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]}
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


statuses = collections.defaultdict(collections.Counter)
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        if found := LINE.search(line):
            statuses[found["route"]][int(found["status"])] += 1

missed = []
for path, operations in get("/openapi.json")["paths"].items():
    for method, operation in operations.items():
        route = f"{method.upper()} {path}"
        found = statuses[route]
        print(f"{route:30}", *(f"{status}: {count}" for status, count in sorted(found.items())), sep="  ")
        successes = [int(status) for status in operation["responses"] if status.startswith("2")]
        if successes and not any(found[status] for status in successes):
            missed.append(route)
get("/Me")
if missed:
    sys.exit("never succeeded: " + ", ".join(missed))
