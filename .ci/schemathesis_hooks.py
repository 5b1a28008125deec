"""What schemathesis is not to do to the directory it tries, and what a description cannot tell it."""

import itertools
import os

import schemathesis

# The owner of the key: without them every later answer would be 401.
OWNER = os.environ["SCIM_OWNER"]
COUNTER = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path == "/Me" or case.path_parameters.get("id") == OWNER:
        if case.method == "DELETE" and case.path != "/Me":
            case.path_parameters["id"] = "00000000-0000-7000-8000-000000000000"
        case.body = staying_active(case.body)
    # It repeats one name in hundreds of requests, of which only the first would not be a conflict.
    if case.method in ("POST", "PUT") and isinstance(case.body, dict):
        name = case.body.get("userName")
        if isinstance(name, str) and name.strip() and len(name) < 200:
            case.body = case.body | {"userName": f"{name}-{next(COUNTER)}"}
    # Both together are refused, whatever else a request says.
    if case.query and "attributes" in case.query and "excludedAttributes" in case.query:
        del case.query["excludedAttributes"]
    if case.query and "cursor" in case.query and "startIndex" in case.query:
        del case.query["cursor"]


def staying_active(body):
    """The body without what deactivates a user."""
    if isinstance(body, list):
        return [staying_active(element) for element in body]
    if isinstance(body, dict):
        if is_active(body.get("path")):
            return body | {"op": "replace", "value": True}
        return {name: staying_active(value) for name, value in body.items() if not is_active(name)}
    return body


def is_active(name):
    return isinstance(name, str) and name.strip().lower().split(":")[-1] == "active"
