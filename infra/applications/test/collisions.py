"""Refuses tenants' files that get in each other's way, and what is none: FOLDER.

What one file can't be is tenant.schema.json's to say.
"""

import pathlib
import sys

import yaml


def collisions(folder):
    seen = {}
    for file in sorted(folder.rglob("*")):
        if file.parent != folder or not file.is_file() or file.is_symlink():
            yield f"{file.relative_to(folder)}: a tenant is a file here, no folder and nothing in one: nobody would check it"
            continue
        if file.name == "tenant.schema.json":
            continue
        if file.suffix != ".yaml":
            yield f"{file.name}: it is no tenant's file: name it SLUG.yaml, or put it elsewhere"
            continue
        tenant = yaml.safe_load(file.read_text())
        slug = tenant["slug"]
        if file.name != f"{slug}.yaml":
            yield f"{file.name}: it holds the tenant {slug}: name it {slug}.yaml"
        for what, value in [
            ("slug", slug),
            # Names of hosts are the same in any case.
            ("host", tenant["host"].lower()),
            ("database role", "sundial_" + slug.replace("-", "_")),
        ]:
            other = seen.setdefault((what, value), file.name)
            if other != file.name:
                yield f"{file.name}: the {what} {value} is that of {other} already"


if __name__ == "__main__":
    found = list(collisions(pathlib.Path(sys.argv[1])))
    if found:
        sys.exit("\n".join(found))
