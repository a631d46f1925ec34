# What holds for Argo CD's own settings, all of its manifests together.
package main

objects contains file.contents if some file in input

settings[object.metadata.name] := object.data if {
	some object in objects
	object.kind == "ConfigMap"
}

deny contains "policy.default is not empty: whoever signs in would have a role" if {
	not settings["argocd-rbac-cm"]["policy.default"] == ""
}

# Argo CD adds up what ends so: policy.csv, policy.MORE.csv.
deny contains msg if {
	some key, policy in settings["argocd-rbac-cm"]
	endswith(key, ".csv")
	some line in split(policy, "\n")
	line != ""
	not regex.match(`^(g, [a-z0-9-]+:[a-z0-9_-]+, role:[a-z]+|p, role:[a-z]+, .*)$`, line)
	msg := sprintf("%s: `%s` gives a role to what is no team: ORGANISATION:TEAM", [key, line])
}

deny contains "scopes is not [groups]: what else somebody says of themselves would count as a team" if {
	not settings["argocd-rbac-cm"].scopes == "[groups]"
}

deny contains msg if {
	some setting in ["users.anonymous.enabled", "exec.enabled"]
	not object.get(settings["argocd-cm"], setting, "false") == "false"
	msg := sprintf("%s is not false: nobody comes in without a name, and nobody into a pod", [setting])
}

deny contains "admin.enabled is not false: a password would do everything" if {
	not settings["argocd-cm"]["admin.enabled"] == "false"
}

deny contains msg if {
	some name, _ in settings["argocd-cm"]
	startswith(name, "accounts.")
	msg := sprintf("%s: there are no local users", [name])
}

deny contains "dex.config holds a secret: refer to one, $NAME:KEY" if {
	dex := yaml.unmarshal(settings["argocd-cm"]["dex.config"])
	some connector in dex.connectors
	not regex.match(`^\$[a-z-]+:[a-z-]+$`, connector.config.clientSecret)
}

deny contains "dex.config does not name groups by the slugs of the teams that count" if {
	dex := yaml.unmarshal(settings["argocd-cm"]["dex.config"])
	some connector in dex.connectors
	not {"teamNameField": "slug", "loadAllGroups": false} == object.filter(connector.config, ["teamNameField", "loadAllGroups"])
}

deny contains "dex.config names no organisation: all of GitHub could sign in" if {
	dex := yaml.unmarshal(settings["argocd-cm"]["dex.config"])
	some connector in dex.connectors
	count(object.get(connector.config, "orgs", [])) == 0
}

deny contains "Applications are not judged: waves would not wait for each other" if {
	not settings["argocd-cm"]["resource.customizations.health.argoproj.io_Application"]
}

deny contains "applicationsetcontroller.enable.new.git.file.globbing is not true: files in subfolders would be tenants" if {
	not settings["argocd-cmd-params-cm"]["applicationsetcontroller.enable.new.git.file.globbing"] == "true"
}

deny contains "more than the gateway reaches Argo CD's server" if {
	some object in objects
	object.kind == "NetworkPolicy"
	object.metadata.name == "argocd-server-network-policy"
	some rule in object.spec.ingress
	not rule.from == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "nginx-gateway"}}}]
}
