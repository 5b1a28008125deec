"""Checks the template as CloudFormation gets it, transformed by SAM's own translator.

- Every route of the template has exactly one integration, with the function's alias `live` and the permission to invoke it.
- Every function is watched by an alarm: those behind the API by the metric of the access log, the others by one of their own.
- Every function has a log group whose logs expire, and a role of this template.
- No policy allows everything.

`cargo test template` tests that the routes are those of the code, and `cargo test policies` tests what the roles may do to the table.
"""

import json
import logging
import os
import re
import sys
from collections import Counter
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parent.parent
EVERYTHING = {"Release": "first", "Events": "Full", "AlarmTopicArn": "arn:aws:sns:eu-west-3:111122223333:alarms", "Tracing": "Active"}
# Values that a parameter accepts, and values that it refuses.
VALUES = {
    "KmsKeyArn": (
        ["", "arn:aws:kms:eu-west-3:111122223333:key/mrk-0123456789abcdef", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"],
        ["arn:aws:kms:eu-west-3:111122223333:alias/scim", "alias/scim", "arn:aws:kms:eu-west-3:111122223333:key/"],
    ),
    "DynamoDbEndpointUrl": (["", "http://127.0.0.1:8000"], ["127.0.0.1:8000", "https://"]),
    "TrustedCertificates": (["", "/etc/pki/tls/certs/ca-bundle.crt"], ["ca-bundle.crt"]),
}
ALARMED_METRICS = {"Errors", "Throttles"}

failures = []


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


class NoManagedPolicies:
    def load(self):
        return {}


def source():
    return yaml_parse((ROOT / "template.yaml").read_text())


def transformed(**parameters):
    template = source()
    # `sam package` would put the programs there.
    del template["Globals"]["Function"]["CodeUri"]
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/program"
    values = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    return transform(template, values | EVERYTHING | parameters, NoManagedPolicies())


def of_type(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def references(value):
    """Yields the names of the resources that a value refers to."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "Ref" or name == "DependsOn" and isinstance(inner, str):
                yield inner
            elif name == "Fn::GetAtt":
                yield inner[0] if isinstance(inner, list) else inner.split(".")[0]
            elif name == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from (found.split(".")[0] for found in re.findall(r"\$\{([\w.]+)\}", text))
                yield from references(inner[1:] if isinstance(inner, list) else [])
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def check_routes(resources):
    """Each route of the template's functions has one integration: the alias of that function, which the API may invoke."""
    expected = {}
    for name, resource in source()["Resources"].items():
        for event in resource["Properties"].get("Events", {}).values() if resource["Type"] == "AWS::Serverless::Function" else ():
            if event["Type"] == "HttpApi":
                where = event["Properties"]
                expected[f"{where['Method']} {where['Path']}" if "Path" in where else "$default"] = name
    (api,) = of_type(resources, "AWS::ApiGatewayV2::Api").values()
    actual = Counter()
    for path, methods in api["Body"]["paths"].items():
        for method, operation in methods.items():
            if "x-amazon-apigateway-integration" not in operation:
                continue
            key = path if path == "$default" else f"{method.upper()} {path}"
            actual[key] += 1
            (target,) = (name for name in references(operation["x-amazon-apigateway-integration"]["uri"]) if not name.startswith("AWS::"))
            check(target == f"{expected.get(key)}Aliaslive", f"{key} leads to {target}")
    once = Counter(expected.keys())
    check(actual == once, f"routes and integrations differ: {once - actual} {actual - once}")
    granted = Counter(next(references(permission["FunctionName"])) for permission in of_type(resources, "AWS::Lambda::Permission").values())
    check(granted == Counter(f"{function}Aliaslive" for function in expected.values()), f"permissions are not those of the routes: {granted}")
    return len(actual)


def behind_the_gateway(resources):
    """Returns the functions whose failures the gateway sees, if an alarm reports these."""
    made = {transformation["MetricName"] for filter in of_type(resources, "AWS::Logs::MetricFilter").values() for transformation in filter["MetricTransformations"]}
    alarmed = {alarm.get("MetricName") for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()}
    if "FunctionFailures" not in made & alarmed:
        return set()
    permissions = of_type(resources, "AWS::Lambda::Permission").values()
    return {next(references(permission["FunctionName"])).removesuffix("Aliaslive") for permission in permissions}


def check_functions(resources):
    """Each function is watched, and has a log group, a role, a version and an alias."""
    functions = of_type(resources, "AWS::Lambda::Function")
    logs = of_type(resources, "AWS::Logs::LogGroup")
    roles = of_type(resources, "AWS::IAM::Role")
    watched = behind_the_gateway(resources)
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        check(list(references(alarm["AlarmActions"])) == ["AlarmTopicArn"], f"{alarm['AlarmName']} has no action")
        metrics = [metric["MetricStat"]["Metric"] for metric in alarm.get("Metrics", ()) if "MetricStat" in metric]
        names = {metric["MetricName"] for metric in metrics if metric["Namespace"] == "AWS/Lambda"}
        if names == ALARMED_METRICS:
            watched |= set(references([metric["Dimensions"] for metric in metrics]))
    for name, function in functions.items():
        (log,) = references(function["LoggingConfig"]["LogGroup"])
        check(logs[log].get("RetentionInDays"), f"{name}: its logs never expire")
        (role,) = references(function["Role"])
        check(role in roles, f"{name} has the role {role}, which is not in this template")
        check(name in watched, f"{name} has no alarm")
        check(f"{name}Aliaslive" in resources, f"{name} has no alias")
        check(f"{name}DeploymentGroup" in resources, f"{name} has no deployment group of CodeDeploy")
    return len(functions)


def check_rights(resources):
    """No statement allows every action, or an action on everything. X-Ray is an exception: it has no resources to name."""
    policies = [policy["PolicyDocument"] for policy in of_type(resources, "AWS::IAM::ManagedPolicy").values()]
    for role in of_type(resources, "AWS::IAM::Role").values():
        # The role of CodeDeploy comes from SAM.
        policies += [policy["PolicyDocument"] for policy in role.get("Policies", ())]
    statements = []
    for policy in policies:
        for statement in policy["Statement"]:
            statements.append(statement["Fn::If"][1] if "Fn::If" in statement else statement)
    for statement in statements:
        check(not any("*" in action for action in statement["Action"]), f"any action: {statement}")
        is_tracing = all(action.startswith("xray:") for action in statement["Action"])
        check(is_tracing or "*" not in json.dumps(statement["Resource"]).replace("/stream/*", ""), f"any resource: {statement}")
        check(statement["Effect"] == "Allow" and "dynamodb:Scan" not in statement["Action"], f"not allowed in a policy: {statement}")
    return len(statements)


def check_circles(resources):
    """No resource waits for itself. cfn-lint checks the template before its transformation, which may add a circle."""
    waits_for = {name: {found for found in references(resource) if found in resources} for name, resource in resources.items()}
    done = set()

    def visit(name, path):
        if name in path:
            failures.append("a circle: " + " -> ".join([*path[path.index(name):], name]))
        elif name not in done:
            for next_name in sorted(waits_for[name]):
                visit(next_name, [*path, name])
            done.add(name)

    for name in resources:
        visit(name, [])


def check_events_role(resources):
    """The handler of the stream reads the stream, sends to one bus, writes to one queue, and touches no table."""
    (policy,) = resources["PublishEventsRole"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    actions = {action for statement in statements if "Action" in statement for action in statement["Action"]}
    stream = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
    check(actions == stream | {"events:DescribeEventBus", "events:PutEvents", "sqs:SendMessage"}, f"publish_events may do other things: {sorted(actions)}")


def check_rollback(resources):
    """The alarms exist before CodeDeploy reads them, also in the deployment that creates them."""
    for name, group in of_type(resources, "AWS::CodeDeploy::DeploymentGroup").items():
        (_, alarms, _) = group["AlarmConfiguration"]["Fn::If"]
        for alarm in alarms["Alarms"]:
            waits_for = list(references(alarm))
            check(len(waits_for) == 1 and resources[waits_for[0]]["Type"] == "AWS::CloudWatch::Alarm", f"{name} does not wait for the alarm {alarm}")


def check_restored(template):
    """With a restored table in use, the stack's own table leaves the stack, and no resource refers to it."""
    (name,) = of_type(template["Resources"], "AWS::DynamoDB::Table")
    check(template["Resources"][name].get("Condition") == "HasOwnTable", "the table stays in the stack when another takes its place")

    def in_use(value):
        if isinstance(value, dict):
            if "Fn::If" in value and value["Fn::If"][0] == "IsRestored":
                return in_use(value["Fn::If"][1])
            return {key: in_use(inner) for key, inner in value.items()}
        return [in_use(inner) for inner in value] if isinstance(value, list) else value

    rest = template["Resources"] | template["Outputs"]
    del rest[name]
    for other, resource in rest.items():
        check(name not in references(in_use(resource)), f"{other} refers to {name} although another table is in use")


def check_parameters():
    for name, (taken, refused) in VALUES.items():
        pattern = source()["Parameters"][name]["AllowedPattern"]
        for value in taken + refused:
            check(bool(re.fullmatch(pattern, value)) == (value in taken), f"{name} is wrong about {value!r}")


NO_VALUE = object()


def rendered(value, parameters, conditions):
    """Returns a value of the template with these parameters: conditions are decided, and properties without value are left out."""

    def holds(condition):
        ((function, operands),) = condition.items()
        if function == "Condition":
            return holds(conditions[operands])
        if function == "Fn::Equals":
            first, second = (rendered(operand, parameters, conditions) for operand in operands)
            return str(first) == str(second)
        decided = [holds(operand) for operand in operands]
        return {"Fn::Not": not decided[0], "Fn::And": all(decided), "Fn::Or": any(decided)}[function]

    if isinstance(value, list):
        inner = [rendered(element, parameters, conditions) for element in value]
        return [element for element in inner if element is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return rendered(then if holds(conditions[condition]) else otherwise, parameters, conditions)
    if value == {"Ref": "AWS::NoValue"}:
        return NO_VALUE
    if "Ref" in value and value["Ref"] in parameters:
        return parameters[value["Ref"]]
    inner = {name: rendered(member, parameters, conditions) for name, member in value.items()}
    return {name: member for name, member in inner.items() if member is not NO_VALUE}


def check_bounds():
    """The parameters that bound costs set nothing by default, and each sets only its own bounds."""
    template = source()
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}

    def bounds(**given):
        parameters = defaults | given
        conditions = template["Conditions"]
        table = rendered(template["Resources"]["Table"]["Properties"], parameters, conditions)
        (index,) = table["GlobalSecondaryIndexes"]
        function = rendered(template["Globals"]["Function"], parameters, conditions)
        budget = template["Resources"]["Budget"]
        exists = rendered({"Fn::If": [budget["Condition"], True, False]}, parameters, conditions)
        found = {
            "table": table.get("OnDemandThroughput"),
            "index": index.get("OnDemandThroughput"),
            "concurrency": function.get("ReservedConcurrentExecutions"),
            "budget": rendered(budget["Properties"]["Budget"]["BudgetLimit"], parameters, conditions) if exists else None,
        }
        return {name: bound for name, bound in found.items() if bound is not None}

    def both(throughput):
        return {"table": throughput, "index": throughput}

    cases = [
        ({}, {}),
        ({"MaxReadUnitsPerSecond": 4000}, both({"MaxReadRequestUnits": 4000})),
        ({"MaxWriteUnitsPerSecond": 500}, both({"MaxWriteRequestUnits": 500})),
        ({"MaxReadUnitsPerSecond": -1, "MaxWriteUnitsPerSecond": -1}, both({"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1})),
        ({"ReservedConcurrency": 50}, {"concurrency": 50}),
        ({"ReservedConcurrency": 0}, {"concurrency": 0}),
        ({"MonthlyBudget": 200}, {"budget": {"Amount": 200, "Unit": "USD"}}),
    ]
    for given, expected in cases:
        actual = bounds(**given)
        print(f"  {given or 'by default'}: {actual or 'nothing'}")
        check(actual == expected, f"{given} renders to {actual}, not {expected}")


def check_releases(resources):
    """A new release, and nothing else, creates new versions of all functions. With the preference None there is no CodeDeploy."""

    def versions(resources):
        return set(of_type(resources, "AWS::Lambda::Version"))

    check(versions(resources) == versions(transformed(MemorySize="512")["Resources"]), "versions change without a new release")
    check(not versions(resources) & versions(transformed(Release="second")["Resources"]), "a new release leaves a version as it was")
    kinds = {resource["Type"] for resource in transformed(DeploymentPreference="None")["Resources"].values()}
    check(not any(kind.startswith("AWS::CodeDeploy") for kind in kinds), "CodeDeploy cannot be left out")


def main():
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-3")
    template = transformed()
    resources = template["Resources"]
    (table,) = (resource for resource in resources.values() if resource["Type"] == "AWS::DynamoDB::Table")
    check(table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain", "the table is deleted with the stack")
    routes, functions, statements = check_routes(resources), check_functions(resources), check_rights(resources)
    check_circles(resources)
    check_events_role(resources)
    check_rollback(resources)
    check_restored(template)
    check_parameters()
    check_bounds()
    check_releases(resources)
    if failures:
        sys.exit("template.yaml, transformed:\n" + "\n".join(f"  {failure}" for failure in failures))
    print(f"template.yaml, transformed: {len(resources)} resources, {routes} routes, {functions} functions, {statements} statements of policies, as they should be")


if __name__ == "__main__":
    main()
