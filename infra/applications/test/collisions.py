"""Refuses tenants' files that get in each other's way, and what is none: FOLDER.

What one file can't be is tenant.schema.json's to say, but for what a schema can't: what onboarding or Kubernetes would
refuse once Argo CD has taken the file.
"""

import collections
import pathlib
import re
import sys
import zoneinfo

import yaml

# As backend/src/guard/scope.rs has it: is_plain.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
# None where the machine knows no zones.
ZONES = zoneinfo.available_timezones()


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
        # The schema's reader takes `on` for a text; Argo CD's does not.
        if not isinstance(tenant, dict) or any(not isinstance(tenant.get(key), str) for key in ("slug", "name", "host")):
            yield f"{file.name}: its slug, name and host are no texts to YAML: put them in quotes"
            continue
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
        whom = collections.Counter(f"{rule['organization']}/{rule.get('team', '')}".lower().rstrip("/") for rule in tenant["access"])
        for name, rules in whom.items():
            if rules > 1:
                yield f"{file.name}: {rules} access rules are for {name}: keep one"
        if len(tenant["name"].encode()) > 200 or UNSEEN.search(tenant["name"]):
            yield f"{file.name}: its name has more than 200 bytes, or what nobody can see"
        zone = (tenant.get("producer") or {}).get("timeZone", "Etc/UTC")
        if ZONES and zone not in ZONES:
            yield f"{file.name}: there is no time zone {zone}: write an IANA name such as Europe/Vienna"


if __name__ == "__main__":
    found = list(collisions(pathlib.Path(sys.argv[1])))
    if found:
        sys.exit("\n".join(found))
