package prod_test

import data.prod

pod(image) := {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": image}]}}

test_digest_is_taken if {
	image := sprintf("ghcr.io/sundial/sundial-backend@sha256:%s", [sprintf("%064d", [0])])
	count(prod.deny) == 0 with input as pod(image)
}

test_tag_is_refused if count(prod.deny) == 1 with input as pod("ghcr.io/sundial/sundial-backend:1.0.0")
