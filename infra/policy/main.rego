# What holds for each object by itself:
#
#     conftest test --policy infra/policy FILE
package main

import data.pod

deny contains msg if {
	endswith(input.kind, "List")
	msg := sprintf("%s: what is in it is looked at by nobody: give each object a document of its own", [input.kind])
}

# Pods: what `restricted` pod security asks for, said on the object, before the cluster refuses the pod.

deny contains msg if {
	some spec in pod.specs
	not spec.securityContext.runAsNonRoot == true
	msg := sprintf("%s: spec.securityContext.runAsNonRoot is not true", [pod.name])
}

deny contains msg if {
	some spec in pod.specs
	not spec.securityContext.runAsUser > 0
	msg := sprintf("%s: spec.securityContext.runAsUser is no number above 0, by which the kubelet knows that it is not root", [pod.name])
}

deny contains msg if {
	some spec in pod.specs
	not spec.securityContext.seccompProfile.type == "RuntimeDefault"
	msg := sprintf("%s: spec.securityContext.seccompProfile.type is not RuntimeDefault", [pod.name])
}

deny contains msg if {
	some container in pod.containers
	some field, wanted in {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true}
	not container.securityContext[field] == wanted
	msg := sprintf("%s: container %s: securityContext.%s is not %v", [pod.name, container.name, field, wanted])
}

deny contains msg if {
	some container in pod.containers
	not container.securityContext.capabilities == {"drop": ["ALL"]}
	msg := sprintf("%s: container %s: securityContext.capabilities does more or less than drop [ALL]", [pod.name, container.name])
}

deny contains msg if {
	some container in pod.containers
	container.securityContext.privileged
	msg := sprintf("%s: container %s is privileged", [pod.name, container.name])
}

# A container may not undo what its pod says.
deny contains msg if {
	some container in pod.containers
	some field in ["runAsNonRoot", "runAsUser", "seccompProfile"]
	_ = container.securityContext[field]
	msg := sprintf("%s: container %s: securityContext.%s is the pod's to say", [pod.name, container.name, field])
}

deny contains msg if {
	some spec in pod.specs
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	spec[field]
	msg := sprintf("%s: spec.%s is set", [pod.name, field])
}

deny contains msg if {
	some spec in pod.specs
	some volume in spec.volumes
	some kind, _ in volume
	not kind in {"name", "configMap", "emptyDir", "secret"}
	msg := sprintf("%s: volume %s is a %s: configMap, emptyDir and secret are all that is needed", [pod.name, volume.name, kind])
}

deny contains msg if {
	some container in pod.containers
	some port in container.ports
	port.hostPort
	msg := sprintf("%s: container %s: port %d is taken from the node", [pod.name, container.name, port.hostPort])
}

# Requests for both; a limit of memory alone, for a limit of processor time only makes servers slow.
deny contains msg if {
	some container in pod.containers
	some path in [["requests", "cpu"], ["requests", "memory"], ["limits", "memory"]]
	not object.get(container, array.concat(["resources"], path), false)
	msg := sprintf("%s: container %s: resources.%s is missing", [pod.name, container.name, concat(".", path)])
}

# Images.

deny contains msg if {
	some container in pod.containers
	not regex.match(`@sha256:[0-9a-f]{64}$|:[A-Za-z0-9_][A-Za-z0-9._-]*$`, container.image)
	msg := sprintf("%s: container %s: image %s has neither tag nor digest", [pod.name, container.name, container.image])
}

deny contains msg if {
	some container in pod.containers
	regex.match(`:latest(@|$)`, container.image)
	msg := sprintf("%s: container %s: image %s: `latest` is another image each day", [pod.name, container.name, container.image])
}

# The API server: nobody has a token for it but onboarding, which writes a tenant's Secrets.

deny contains msg if {
	some spec in pod.specs
	not spec.automountServiceAccountToken == false
	not onboards
	msg := sprintf("%s: spec.automountServiceAccountToken is not false", [pod.name])
}

onboards if {
	pod.labels["app.kubernetes.io/component"] == "onboarding"
	input.metadata.namespace == "sundial-system"
}

deny contains msg if {
	input.kind == "ServiceAccount"
	not input.automountServiceAccountToken == false
	msg := sprintf("%s: automountServiceAccountToken is not false", [pod.name])
}

deny contains msg if {
	input.kind in {"Role", "ClusterRole"}
	some rule in input.rules
	some field in ["apiGroups", "resources", "verbs"]
	"*" in rule[field]
	msg := sprintf("%s: a rule's %s hold `*`", [pod.name, field])
}

deny contains msg if {
	input.kind in {"ClusterRole", "ClusterRoleBinding"}
	msg := sprintf("%s: rights in all namespaces are nobody's here", [pod.name])
}

deny contains msg if {
	input.kind == "RoleBinding"
	input.roleRef.kind != "Role"
	msg := sprintf("%s: what the %s %s allows is not seen here: bind a Role", [pod.name, input.roleRef.kind, input.roleRef.name])
}

# Into other pods, or to be somebody else.
deny contains msg if {
	input.kind == "Role"
	some rule in input.rules
	some right in array.concat(rule.resources, rule.verbs)
	right in {"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/ephemeralcontainers", "services/proxy", "serviceaccounts/token", "impersonate", "bind", "escalate"}
	msg := sprintf("%s: `%s` is a way to all that others may", [pod.name, right])
}

# Reading or changing Secrets is a right to those that are named.
deny contains msg if {
	input.kind == "Role"
	some rule in input.rules
	"secrets" in rule.resources
	some verb in rule.verbs
	verb != "create"
	count(object.get(rule, "resourceNames", [])) == 0
	msg := sprintf("%s: `%s` of secrets without resourceNames is a right to all of them", [pod.name, verb])
}

# What is rendered comes from Git, which is no place for a Secret.
deny contains msg if {
	input.kind == "Secret"
	msg := sprintf("%s: a Secret in Git is none: refer to one", [pod.name])
}

# Namespaces.

deny contains msg if {
	input.kind == "Namespace"
	some mode in ["enforce", "warn", "audit"]
	not input.metadata.labels[sprintf("pod-security.kubernetes.io/%s", [mode])] == "restricted"
	msg := sprintf("%s: label pod-security.kubernetes.io/%s is not restricted", [pod.name, mode])
}

# Network policies.

deny contains msg if {
	input.kind == "NetworkPolicy"
	some direction, peers in {"ingress": "from", "egress": "to"}
	some rule in input.spec[direction]
	count(object.get(rule, peers, [])) == 0
	count(object.get(rule, "ports", [])) == 0
	msg := sprintf("%s: a rule of %s names neither peers nor ports, which opens everything", [pod.name, direction])
}

deny contains msg if {
	input.kind == "NetworkPolicy"
	some direction, peers in {"ingress": "from", "egress": "to"}
	some rule in input.spec[direction]
	some peer in rule[peers]
	wide(peer.ipBlock.cidr)
	count(object.get(peer.ipBlock, "except", [])) == 0
	count(object.get(rule, "ports", [])) == 0
	msg := sprintf("%s: %s opens %s, without an exception and without a port", [pod.name, direction, peer.ipBlock.cidr])
}

# All of it, or so large a part that a few make all.
wide(cidr) if regex.match(`^[0-9.]+/0*[0-7]$`, cidr)

wide(cidr) if regex.match(`:.*/0*([0-9]|1[0-5])$`, cidr)

# An empty selector among the peers is every pod of every namespace.
deny contains msg if {
	input.kind == "NetworkPolicy"
	some direction, peers in {"ingress": "from", "egress": "to"}
	some rule in input.spec[direction]
	some peer in rule[peers]
	every _, wanted in object.get(peer, "namespaceSelector", {"none": [1]}) {
		count(wanted) == 0
	}
	msg := sprintf("%s: %s opens all namespaces", [pod.name, direction])
}

# A policy says what it is for: one that forgets a type leaves that direction to others.
deny contains msg if {
	input.kind == "NetworkPolicy"
	count(object.get(input.spec, "policyTypes", [])) == 0
	msg := sprintf("%s: spec.policyTypes is missing", [pod.name])
}
