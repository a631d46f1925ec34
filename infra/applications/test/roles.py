"""Prints Argo CD's roles as it puts them together: RBAC-CONFIGMAP MADE…, where projects in MADE bring their own."""

import sys

import yaml

for file in sys.argv[1:]:
    with open(file) as text:
        for document in yaml.safe_load_all(text):
            if not document:
                continue
            if document["kind"] == "ConfigMap" and "policy.csv" in document.get("data", {}):
                print(document["data"]["policy.csv"], end="")
            if document["kind"] == "AppProject":
                project = document["metadata"]["name"]
                for role in document["spec"].get("roles", []):
                    print(*role["policies"], sep="\n")
                    for group in role["groups"]:
                        print(f"g, {group}, proj:{project}:{role['name']}")
