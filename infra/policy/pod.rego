# What is common to the policies: the pod of an object, and its containers.
package pod

specs contains input.spec if input.kind == "Pod"

specs contains input.spec.template.spec if {
	input.kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}
}

specs contains input.spec.jobTemplate.spec.template.spec if input.kind == "CronJob"

labels := input.spec.jobTemplate.spec.template.metadata.labels if input.kind == "CronJob"

labels := input.spec.template.metadata.labels if input.kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}

labels := input.metadata.labels if input.kind == "Pod"

containers contains container if {
	some spec in specs
	some list in ["containers", "initContainers", "ephemeralContainers"]
	some container in spec[list]
}

name := sprintf("%s %s", [input.kind, input.metadata.name])
