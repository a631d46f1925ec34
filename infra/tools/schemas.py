"""Writes JSON schemas for kubeconform, so that it needs no network: OUTPUT DEFINITIONS VERSION…

OUTPUT/v1.34.0/deployment-apps-v1.json       Kubernetes' own, from kubernetes-validate
OUTPUT/crd/argoproj.io/application_v1alpha1.json    what a CustomResourceDefinition in DEFINITIONS/*.yaml defines
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

# In YAML 1.1 `=` is a type of its own, which nobody means by it.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_scalar)


def local(node):
    """A schema that points at its neighbours on disk instead of at web addresses."""
    if isinstance(node, dict):
        return {
            key: value.replace("/api/_definitions.json", "_definitions.json")
            if key == "$ref" and isinstance(value, str)
            else local(value)
            for key, value in node.items()
            if not (key == "$id" and isinstance(value, str))
        }
    return [local(item) for item in node] if isinstance(node, list) else node


def strict(node):
    """A definition's schema that refuses what it does not name, as the API server prunes it."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("x-kubernetes-int-or-string"):
        node.pop("type", None)
        node["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if isinstance(node.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        node.setdefault("additionalProperties", False)
    return node


def main(output, definitions, *versions):
    source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    for version in versions:
        folder = output / f"v{version}"
        folder.mkdir(parents=True)
        for file in (source / f"v{version}-local-strict").glob("*.json"):
            (folder / file.name).write_text(json.dumps(local(json.loads(file.read_text()))))
    for file in definitions.glob("*.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            if not document or document["kind"] != "CustomResourceDefinition":
                continue
            folder = output / "crd" / document["spec"]["group"]
            folder.mkdir(parents=True, exist_ok=True)
            for version in document["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # The server knows these by itself.
                schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
                name = f"{document['spec']['names']['kind'].lower()}_{version['name']}.json"
                (folder / name).write_text(json.dumps(schema))


main(*map(pathlib.Path, sys.argv[1:3]), *sys.argv[3:])
