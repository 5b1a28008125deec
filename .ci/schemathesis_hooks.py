"""Changes the requests of schemathesis that would break the directory, or that break rules which the description cannot express."""

import itertools
import os

import schemathesis

# The owner of the key. If schemathesis deleted or deactivated the owner, every later response would be 401.
OWNER = os.environ["SCIM_OWNER"]
TOKEN = os.environ["SCIM_TOKEN"]
COUNTER = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    # schemathesis cannot guess a secret. So a body that has one, of any kind, gets the right one.
    if case.path == "/oauth2/token" and isinstance(case.body, dict) and "client_secret" in case.body:
        case.body = case.body | {"client_id": TOKEN.split("_")[1], "client_secret": TOKEN}
    if case.path == "/Me" or case.path_parameters.get("id") == OWNER:
        if case.method == "DELETE" and case.path != "/Me":
            case.path_parameters["id"] = "00000000-0000-7000-8000-000000000000"
        case.body = staying_active(case.body)
    # schemathesis repeats one name in hundreds of requests, and all except the first would be conflicts.
    if case.method in ("POST", "PUT") and isinstance(case.body, dict):
        name = case.body.get("userName")
        if isinstance(name, str) and name.strip() and len(name) < 200:
            case.body = case.body | {"userName": f"{name}-{next(COUNTER)}"}
    # The server refuses both together, whatever else a request has.
    if case.query and "attributes" in case.query and "excludedAttributes" in case.query:
        del case.query["excludedAttributes"]
    if case.query and "cursor" in case.query and "startIndex" in case.query:
        del case.query["cursor"]


def staying_active(body):
    """Returns the body without the parts that deactivate a user."""
    if isinstance(body, list):
        return [staying_active(element) for element in body]
    if isinstance(body, dict):
        if is_active(body.get("path")):
            return body | {"op": "replace", "value": True}
        return {name: staying_active(value) for name, value in body.items() if not is_active(name)}
    return body


def is_active(name):
    return isinstance(name, str) and name.strip().lower().split(":")[-1] == "active"
