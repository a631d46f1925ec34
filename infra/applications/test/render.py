"""Renders all that Argo CD would: ROOT OUTPUT, where ROOT is a checkout. Needs helm, and ./expand, on PATH.

It begins with the Application in infra/bootstrap/root.yaml and follows what that makes: Applications, and what the
ApplicationSet expands to. OUTPUT/NAME.yaml is what an Application makes; those from elsewhere are left alone. What a
project does not allow is refused, as Argo CD would.
"""

import fnmatch
import pathlib
import subprocess
import sys

import yaml

HERE = "https://kubernetes.default.svc"
# Kinds that belong to no namespace, of those that are rendered here.
CLUSTER = {"ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "GatewayClass", "Namespace"}


class Refused(Exception):
    pass


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(done.stderr.strip())
    return done.stdout


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def name_of(document):
    return document["metadata"]["name"]


class Tree:
    def __init__(self, root, output):
        self.root, self.output = root, output
        self.projects, self.waiting, self.made = {}, [], set()
        top = root / "infra/bootstrap/root.yaml"
        self.take(documents(top.read_text()))
        self.repository = self.waiting[0]["spec"]["source"]["repoURL"]

    def take(self, made):
        for document in made:
            if document["kind"] == "AppProject":
                self.projects[name_of(document)] = document["spec"]
            elif document["kind"] == "Application":
                if name_of(document) in self.made:
                    raise Refused(f"two make the Application {name_of(document)}")
                self.made.add(name_of(document))
                self.waiting.append(document)
            elif document["kind"] == "ApplicationSet":
                file = self.output / "applicationset"
                file.write_text(yaml.safe_dump(document))
                self.take(documents(run("expand", str(file), str(self.root))))

    def render(self):
        while self.waiting:
            application = self.waiting.pop(0)
            name, spec = name_of(application), application["spec"]
            project = self.projects.get(spec["project"])
            if project is None:
                raise Refused(f"Application {name}: there is no project {spec['project']}")
            source = spec["source"]
            if source["repoURL"] not in project["sourceRepos"]:
                raise Refused(f"Application {name}: its project does not allow {source['repoURL']}")
            if source["repoURL"] != self.repository:
                continue
            text = self.helm(name, source, spec["destination"]["namespace"])
            made = documents(text)
            for document in made:
                self.check(name, spec, project, document)
            (self.output / f"{name}.yaml").write_text(text)
            self.take(made)

    def helm(self, name, source, namespace):
        options = source.get("helm", {})
        command = ["helm", "template", options.get("releaseName", name), str(self.root / source["path"])]
        command += ["--namespace", namespace, "--kube-version", "1.34.0"]
        for file in options.get("valueFiles", []):
            command += ["--values", str(self.root / file.lstrip("/"))]
        values = self.output / f"{name}.values"
        values.write_text(options.get("values") or yaml.safe_dump(options.get("valuesObject", {})))
        command += ["--values", str(values)]
        for parameter in options.get("parameters", []):
            value = parameter["value"]
            value = value.replace("$ARGOCD_APP_SOURCE_REPO_URL", source["repoURL"])
            value = value.replace("$ARGOCD_APP_SOURCE_TARGET_REVISION", source["targetRevision"])
            command += ["--set-string", f"{parameter['name']}={value}"]
        try:
            return run(*command)
        except Refused as refused:
            raise Refused(f"Application {name}: {refused}") from None

    def check(self, name, spec, project, document):
        """What Argo CD asks the project before it applies an object."""
        annotations = document["metadata"].get("annotations", {})
        if annotations.get("argocd.argoproj.io/hook") == "Skip":
            return
        group = document["apiVersion"].rpartition("/")[0]
        kind = document["kind"]
        what = f"Application {name}: project {spec['project']} does not allow {kind} {name_of(document)}"

        def allowed(kinds):
            return any(fnmatch.fnmatch(group, one["group"]) and fnmatch.fnmatch(kind, one["kind"]) for one in kinds)

        if kind in CLUSTER:
            if not allowed(project.get("clusterResourceWhitelist", [])):
                raise Refused(what)
            return
        if "namespaceResourceWhitelist" in project and not allowed(project["namespaceResourceWhitelist"]):
            raise Refused(what)
        namespace = document["metadata"].get("namespace", spec["destination"]["namespace"])
        if not any(
            one["server"] == HERE and fnmatch.fnmatch(namespace, one["namespace"]) for one in project["destinations"]
        ):
            raise Refused(f"{what} in namespace {namespace}")


def main(root, output):
    output.mkdir(parents=True, exist_ok=True)
    Tree(root, output).render()


if __name__ == "__main__":
    try:
        main(*map(pathlib.Path, sys.argv[1:]))
    except Refused as refused:
        sys.exit(str(refused))
