package main_test

import data.main

pod := {
	"kind": "Deployment",
	"metadata": {"name": "sundial-backend", "namespace": "mcce-g1-prod"},
	"spec": {"template": {
		"metadata": {"labels": {"app.kubernetes.io/component": "backend"}},
		"spec": {
			"automountServiceAccountToken": false,
			"securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
			"containers": [{
				"name": "backend",
				"image": "ghcr.io/sundial/sundial-backend:1.0.0",
				"securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
				"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
				"ports": [{"containerPort": 8080}],
			}],
			"volumes": [{"name": "tmp", "emptyDir": {}}],
		},
	}},
}

spec := "/spec/template/spec"

container := concat("", [spec, "/containers/0"])

# The messages about the pod with some patches.
told(patches) := messages if messages := main.deny with input as json.patch(pod, patches)

# Whether there is one message, with these words.
only(messages, words) if {
	count(messages) == 1
	some message in messages
	contains(message, words)
}

test_pod_passes if count(told([])) == 0

test_cronjob_is_looked_into if {
	job := {"kind": "CronJob", "metadata": pod.metadata, "spec": {"jobTemplate": {"spec": {"template": pod.spec.template}}}}
	count(main.deny) == 0 with input as job
	only(main.deny, "runAsNonRoot") with input as json.patch(job, [{"op": "remove", "path": "/spec/jobTemplate/spec/template/spec/securityContext/runAsNonRoot"}])
}

test_list_is_refused if only(main.deny, "looked at by nobody") with input as {"kind": "List", "items": [{"kind": "Secret"}]}

test_replication_controller_is_looked_into if {
	only(main.deny, "hostNetwork") with input as json.patch(pod, [
		{"op": "replace", "path": "/kind", "value": "ReplicationController"},
		{"op": "add", "path": concat("", [spec, "/hostNetwork"]), "value": true},
	])
}

test_bare_pod_is_looked_into if {
	bare := {"kind": "Pod", "metadata": pod.metadata, "spec": object.union(pod.spec.template.spec, {"hostNetwork": true})}
	only(main.deny, "hostNetwork") with input as bare
}

test_init_container_is_looked_into if {
	init := json.patch(pod.spec.template.spec.containers[0], [{"op": "remove", "path": "/resources/limits"}])
	only(told([{"op": "add", "path": concat("", [spec, "/initContainers"]), "value": [init]}]), "limits.memory")
}

test_pod_is_refused if {
	every case in [
		{"words": "runAsNonRoot is not true", "op": "replace", "path": concat("", [spec, "/securityContext/runAsNonRoot"]), "value": false},
		{"words": "runAsUser is no number above 0", "op": "replace", "path": concat("", [spec, "/securityContext/runAsUser"]), "value": 0},
		{"words": "seccompProfile.type is not", "op": "replace", "path": concat("", [spec, "/securityContext/seccompProfile/type"]), "value": "Unconfined"},
		{"words": "allowPrivilegeEscalation is not false", "op": "remove", "path": concat("", [container, "/securityContext/allowPrivilegeEscalation"])},
		{"words": "readOnlyRootFilesystem is not true", "op": "remove", "path": concat("", [container, "/securityContext/readOnlyRootFilesystem"])},
		{"words": "capabilities does more or less", "op": "add", "path": concat("", [container, "/securityContext/capabilities/add"]), "value": ["NET_ADMIN"]},
		{"words": "is privileged", "op": "add", "path": concat("", [container, "/securityContext/privileged"]), "value": true},
		{"words": "runAsUser is the pod's to say", "op": "add", "path": concat("", [container, "/securityContext/runAsUser"]), "value": 0},
		{"words": "spec.hostNetwork is set", "op": "add", "path": concat("", [spec, "/hostNetwork"]), "value": true},
		{"words": "spec.hostPID is set", "op": "add", "path": concat("", [spec, "/hostPID"]), "value": true},
		{"words": "volume host is a hostPath", "op": "add", "path": concat("", [spec, "/volumes/-"]), "value": {"name": "host", "hostPath": {"path": "/"}}},
		{"words": "volume token is a projected", "op": "add", "path": concat("", [spec, "/volumes/-"]), "value": {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}},
		{"words": "port 8080 is taken from the node", "op": "add", "path": concat("", [container, "/ports/0/hostPort"]), "value": 8080},
		{"words": "resources.requests.cpu is missing", "op": "remove", "path": concat("", [container, "/resources/requests/cpu"])},
		{"words": "resources.requests.memory is missing", "op": "remove", "path": concat("", [container, "/resources/requests/memory"])},
		{"words": "resources.limits.memory is missing", "op": "remove", "path": concat("", [container, "/resources/limits"])},
		{"words": "neither tag nor digest", "op": "replace", "path": concat("", [container, "/image"]), "value": "ghcr.io/sundial/sundial-backend"},
		{"words": "another image each day", "op": "replace", "path": concat("", [container, "/image"]), "value": "ghcr.io/sundial/sundial-backend:latest"},
		{"words": "automountServiceAccountToken is not false", "op": "remove", "path": concat("", [spec, "/automountServiceAccountToken"])},
	] {
		only(told([object.remove(case, ["words"])]), case.words)
	}
}

test_token_is_onboardings_alone if {
	open := {"op": "replace", "path": concat("", [spec, "/automountServiceAccountToken"]), "value": true}
	onboards := {"op": "replace", "path": "/spec/template/metadata/labels", "value": {"app.kubernetes.io/component": "onboarding"}}
	system := {"op": "replace", "path": "/metadata/namespace", "value": "sundial-system"}
	count(told([open, onboards, system])) == 0

	# A tenant's pod does not get one by calling itself so.
	only(told([open, onboards]), "automountServiceAccountToken")
	only(told([open, system]), "automountServiceAccountToken")
}

test_port_of_a_registry_is_no_tag if {
	only(told([{"op": "replace", "path": concat("", [container, "/image"]), "value": "localhost:5000/sundial"}]), "neither tag nor digest")
}

test_service_account_has_no_token if {
	only(main.deny, "automountServiceAccountToken") with input as {"kind": "ServiceAccount", "metadata": {"name": "a"}}
	count(main.deny) == 0 with input as {"kind": "ServiceAccount", "metadata": {"name": "a"}, "automountServiceAccountToken": false}
}

role(rule) := {"kind": "Role", "metadata": {"name": "r"}, "rules": [rule]}

test_roles if {
	count(main.deny) == 0 with input as role({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]})
	count(main.deny) == 0 with input as role({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"], "verbs": ["get", "update"]})
	only(main.deny, "`get` of secrets") with input as role({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})
	only(main.deny, "verbs hold `*`") with input as role({"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]})
	only(main.deny, "`pods/exec` is a way") with input as role({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]})
	only(main.deny, "`impersonate` is a way") with input as role({"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]})
	count(main.deny) == 0 with input as {"kind": "RoleBinding", "metadata": {"name": "r"}, "roleRef": {"kind": "Role", "name": "r"}}
	only(main.deny, "the ClusterRole cluster-admin allows") with input as {
		"kind": "RoleBinding", "metadata": {"name": "r"}, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
	}
	only(main.deny, "all namespaces") with input as {"kind": "ClusterRoleBinding", "metadata": {"name": "r"}}
}

test_secret_is_refused if only(main.deny, "Secret in Git") with input as {"kind": "Secret", "metadata": {"name": "s"}}

test_namespace_is_restricted if {
	labels := {sprintf("pod-security.kubernetes.io/%s", [mode]): "restricted" | some mode in ["enforce", "warn", "audit"]}
	count(main.deny) == 0 with input as {"kind": "Namespace", "metadata": {"name": "n", "labels": labels}}
	only(main.deny, "enforce is not restricted") with input as {
		"kind": "Namespace",
		"metadata": {"name": "n", "labels": object.union(labels, {"pod-security.kubernetes.io/enforce": "baseline"})},
	}
	count(main.deny) == 3 with input as {"kind": "Namespace", "metadata": {"name": "n"}}
}

policy(egress) := {
	"kind": "NetworkPolicy", "metadata": {"name": "p"},
	"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress},
}

anywhere := {"ipBlock": {"cidr": "0.0.0.0/0"}}

test_network_policies if {
	count(main.deny) == 0 with input as policy([{"to": [anywhere], "ports": [{"port": 5432}]}])
	count(main.deny) == 0 with input as policy([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}])
	count(main.deny) == 0 with input as policy([{"ports": [{"port": 443}]}])
	only(main.deny, "opens 0.0.0.0/0") with input as policy([{"to": [anywhere]}])
	only(main.deny, "opens 128.0.0.0/1") with input as policy([{"to": [{"ipBlock": {"cidr": "128.0.0.0/1"}}]}])
	only(main.deny, "opens 0.0.0.0/00") with input as policy([{"to": [{"ipBlock": {"cidr": "0.0.0.0/00"}}]}])
	only(main.deny, "opens 2000::/3") with input as policy([{"to": [{"ipBlock": {"cidr": "2000::/3"}}]}])
	count(main.deny) == 0 with input as policy([{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}]}])
	only(main.deny, "opens ::/0") with input as policy([{"to": [{"ipBlock": {"cidr": "::/0"}}]}])
	only(main.deny, "neither peers nor ports") with input as policy([{}])
	only(main.deny, "all namespaces") with input as policy([{"to": [{"namespaceSelector": {}}], "ports": [{"port": 443}]}])
	only(main.deny, "all namespaces") with input as policy([{"to": [{"namespaceSelector": {"matchLabels": {}}}], "ports": [{"port": 443}]}])
	count(main.deny) == 0 with input as policy([{"to": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}, {"podSelector": {}}]}])
	only(main.deny, "policyTypes is missing") with input as {"kind": "NetworkPolicy", "metadata": {"name": "p"}, "spec": {"podSelector": {}}}
}
