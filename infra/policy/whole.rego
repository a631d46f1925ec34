# What holds for objects together:
#
#     conftest test --policy infra/policy --namespace whole --combine FILE...
package whole

objects contains file.contents if some file in input

deny contains msg if {
	some namespace in objects
	namespace.kind == "Namespace"
	not denies_all(namespace.metadata.name)
	msg := sprintf("Namespace %s: no NetworkPolicy there denies all that no other one allows", [namespace.metadata.name])
}

denies_all(namespace) if {
	some policy in objects
	policy.kind == "NetworkPolicy"
	policy.metadata.namespace == namespace
	policy.spec.podSelector == {}
	{"Ingress", "Egress"} == {type | some type in policy.spec.policyTypes}
	not policy.spec.ingress
	not policy.spec.egress
}

# A namespace of its own is what a tenant is.
deny contains msg if {
	some namespace in objects
	namespace.kind == "Namespace"
	namespace.metadata.labels["sundial.io/tenant"] != namespace.metadata.name
	msg := sprintf("Namespace %s: its label sundial.io/tenant is that of %s", [namespace.metadata.name, namespace.metadata.labels["sundial.io/tenant"]])
}

deny contains msg if {
	some namespace in objects
	namespace.metadata.labels["sundial.io/tenant"]
	namespace.kind == "Namespace"
	not limited(namespace.metadata.name)
	msg := sprintf("Namespace %s: no ResourceQuota holds the tenant to a share", [namespace.metadata.name])
}

limited(namespace) if {
	some quota in objects
	quota.kind == "ResourceQuota"
	quota.metadata.namespace == namespace
}
