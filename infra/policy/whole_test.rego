package whole_test

import data.whole

namespace := {"kind": "Namespace", "metadata": {"name": "t", "labels": {"sundial.io/tenant": "t"}}}

deny := {
	"kind": "NetworkPolicy", "metadata": {"name": "default-deny", "namespace": "t"},
	"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}

quota := {"kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "t"}}

told(objects) := messages if messages := whole.deny with input as [{"path": "made.yaml", "contents": object} | some object in objects]

test_whole_namespace_passes if count(told([namespace, deny, quota])) == 0

test_namespace_without_default_deny_is_refused if {
	count(told([namespace, quota])) == 1
	elsewhere := json.patch(deny, [{"op": "replace", "path": "/metadata/namespace", "value": "u"}])
	count(told([namespace, quota, elsewhere])) == 1
	half := json.patch(deny, [{"op": "replace", "path": "/spec/policyTypes", "value": ["Ingress"]}])
	count(told([namespace, quota, half])) == 1
	open := json.patch(deny, [{"op": "add", "path": "/spec/egress", "value": [{"ports": [{"port": 53}]}]}])
	count(told([namespace, quota, open])) == 1
	some_pods := json.patch(deny, [{"op": "replace", "path": "/spec/podSelector", "value": {"matchLabels": {"a": "b"}}}])
	count(told([namespace, quota, some_pods])) == 1
}

test_tenant_without_quota_is_refused if count(told([namespace, deny])) == 1

test_tenant_under_another_name_is_refused if {
	other := json.patch(namespace, [{"op": "replace", "path": "/metadata/labels/sundial.io~1tenant", "value": "u"}])
	count(told([other, deny, quota])) == 1
}
