# What holds in PROD besides:
#
#     conftest test --policy infra/policy --namespace main --namespace prod FILE
package prod

import data.pod

deny contains msg if {
	some container in pod.containers
	not regex.match(`@sha256:[0-9a-f]{64}$`, container.image)
	msg := sprintf("%s: container %s: image %s: PROD runs what was tried in TEST, by its digest", [pod.name, container.name, container.image])
}
