"""Sees that tenants' files are refused as they must be, each in words that help: SCHEMA VALUES-SCHEMA TENANT ROOT.

TENANT is a file that is right; each case below is it with one thing changed. ROOT is what the root application makes.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

from collisions import collisions

ADMIN = {"organization": "mcce", "team": "g1-admins", "role": "ADMIN"}

# What one file can't be, and words of the refusal. None takes a key away.
FILES = [
    ({"slug": None}, "'slug' is a required property"),
    ({"slug": "Mcce"}, "'Mcce' does not match"),
    # A namespace can't be called that, and the role of mcce-g1 would be its role too.
    ({"slug": "mcce_g1"}, "'mcce_g1' does not match"),
    ({"slug": "mcce-"}, "'mcce-' does not match"),
    ({"slug": "m" * 45}, "is too long"),
    # Its Application would be the base of the tenant mcce.
    ({"slug": "mcce-base"}, "'mcce-base' should not be valid under {'pattern': '-base$'}"),
    ({"slug": "kube-system"}, "'kube-system' should not be valid under {'pattern': '^(kube|calico)-'}"),
    ({"slug": "argocd"}, "'argocd' should not be valid under {'enum'"),
    # sundial_owner may be the owner's own role, and sundial_backup sees all tenants.
    ({"slug": "owner"}, "'owner' should not be valid under {'enum'"),
    ({"slug": "backup"}, "'backup' should not be valid under {'enum'"),
    ({"name": " "}, "' ' does not match"),
    ({"group": "MCCE 1"}, "'MCCE 1' does not match"),
    ({"environment": "STAGE"}, "'STAGE' is not one of ['PROD', 'TEST']"),
    ({"host": "https://a.sundial.example.org"}, "does not match"),
    ({"host": "localhost"}, "'localhost' does not match"),
    ({"access": []}, "[] should be non-empty"),
    ({"access": [ADMIN | {"role": "VIEWER"}]}, "are valid under the given schema"),
    ({"access": [ADMIN, ADMIN | {"role": "OWNER"}]}, "'OWNER' is not one of ['VIEWER', 'EDITOR', 'ADMIN']"),
    ({"access": [ADMIN, ADMIN | {"team": "mcce/g1"}]}, "'mcce/g1' does not match"),
    ({"access": [ADMIN, ADMIN | {"user": "ada"}]}, "('user' was unexpected)"),
    ({"quota": {"points": -1}}, "-1 is less than the minimum of 0"),
    ({"quota": {"bytes": "1 GB"}}, "'1 GB' is not of type 'integer'"),
    ({"resources": "huge"}, "'huge' is not one of ['small', 'medium', 'large']"),
    ({"retentionDays": 0}, "0 is less than the minimum of 1"),
    ({"retentionDays": 0.5}, "0.5 is not of type 'integer'"),
    ({"producer": {"schedule": "* * * * * *"}}, "'* * * * * *' does not match"),
    ({"producer": {"timeZone": "UTC+1 hour"}}, "'UTC+1 hour' does not match"),
    ({"replicas": 3}, "('replicas' was unexpected)"),
    # A tenant that names its own repository would choose what runs.
    ({"repository": "https://example.org/x.git"}, "('repository' was unexpected)"),
]

# What a file can't be beside the right one: its name, what is changed, words of the refusal.
COLLISIONS = [
    ("other.yaml", {}, "other.yaml: it holds the tenant {slug}: name it {slug}.yaml"),
    ("{slug}.yml", {}, "{slug}.yml: it is no tenant's file"),
    ("{slug}.json", {}, "{slug}.json: it is no tenant's file"),
    ("a/{slug}.yaml", {}, "a/{slug}.yaml: a tenant is a file here"),
    ("other.yaml", {}, "the slug {slug} is that of"),
    ("other.yaml", {"slug": "other"}, "other.yaml: the host {host} is that of {slug}.yaml already"),
    ("other.yaml", {"slug": "other", "host": "{HOST}"}, "the host {host} is that of"),
    ("other.yaml", {"slug": "{under}", "host": "b.example.org"}, "the database role {role} is that of {slug}.yaml already"),
    ("on.yaml", {"slug": True}, "on.yaml: its slug, name and host are no texts to YAML: put them in quotes"),
    # Onboarding would refuse these, and Kubernetes the last.
    ("other.yaml", {"access": [ADMIN, ADMIN | {"organization": "MCCE", "role": "VIEWER"}]}, "2 access rules are for mcce/g1-admins: keep one"),
    ("other.yaml", {"access": [ADMIN | {"team": "mcce"}, {"organization": "mcce", "role": "ADMIN"}] * 2}, "2 access rules are for mcce: keep one"),
    ("other.yaml", {"name": "a\u202eb"}, "what nobody can see"),
    ("other.yaml", {"name": 51 * "\U0001f551"}, "more than 200 bytes"),
    ("other.yaml", {"producer": {"timeZone": "Europe/Wien"}}, "there is no time zone Europe/Wien"),
]


def changed(tenant, changes):
    tenant = copy.deepcopy(tenant) | changes
    return {key: value for key, value in tenant.items() if value is not None}


def main(schema, values_schema, right, root):
    tenant = yaml.safe_load(right.read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for at, (changes, _) in enumerate(FILES):
            (folder / f"{at}.yaml").write_text(yaml.safe_dump(changed(tenant, changes)))
        command = ["check-jsonschema", "--output-format", "json", "--schemafile", schema, *folder.glob("*.yaml")]
        told = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
        for at, (changes, words) in enumerate(FILES):
            name = str(folder / f"{at}.yaml")
            messages = [f"{one['path']}: {one['message']}" for one in told["errors"] if one["filename"] == name]
            if not any(words in message for message in messages):
                sys.exit(f"{changes}: no refusal says {words!r}, but {messages}")
    print(f"{len(FILES)} tenants' files are refused for what they hold")

    slug = tenant["slug"]
    known = {"slug": slug, "host": tenant["host"], "HOST": tenant["host"].upper()}
    known |= {"under": slug.replace("-", "_"), "role": "sundial_" + slug.replace("-", "_")}
    for name, changes, words in COLLISIONS:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / f"{slug}.yaml").write_text(right.read_text())
            changes = {key: value.format(**known) if isinstance(value, str) else value for key, value in changes.items()}
            file = folder / name.format(**known)
            file.parent.mkdir(exist_ok=True)
            file.write_text(yaml.safe_dump(changed(tenant, changes)))
            told = list(collisions(folder))
            if not any(words.format(**known) in one for one in told):
                sys.exit(f"{name} with {changes}: no refusal says {words.format(**known)!r}, but {told}")
    print(f"{len(COLLISIONS)} are refused for what they share with another, or what no schema can say")

    # Argo CD does not know tenant.schema.json: the chart that takes the file must be as strict.
    given, taken = (json.loads(file.read_text()) for file in (schema, values_schema))
    if taken["properties"]["tenant"] != {key: value for key, value in given.items() if key not in ("$schema", "title")}:
        sys.exit(f"{values_schema}: `tenant` is not what {schema} says: please copy it")

    # A tenant that is called as something of the platform's would take its namespace, or its Application.
    refused = given["properties"]["slug"]["allOf"][0]["not"]["enum"]
    for document in yaml.safe_load_all(root.read_text()):
        if document["kind"] in ("Application", "Namespace") and document["metadata"]["name"] not in refused:
            sys.exit(f"{schema}: a tenant may be called {document['metadata']['name']}: please refuse that")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
