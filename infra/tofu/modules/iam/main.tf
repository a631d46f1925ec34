# Two roles for CI, each with what its workflow does and no more. Only rules that allow: one whose expression does not fit a
# request is passed over, so that a rule that denies can be slipped by.
#
# Their keys are made by hand (README.md). From here they would be in the state, which whoever plans can read: the role that
# plans could take the key of the one that applies.
#
# There is no role for the cloud controller manager: SKS makes its key and keeps it.
locals {
  read = {
    compute = [
      "get-anti-affinity-group",
      "get-instance",
      "get-instance-pool",
      "get-instance-type",
      "get-load-balancer",
      "get-operation",
      "get-private-network",
      "get-security-group",
      "get-sks-cluster",
      "get-sks-cluster-authority-cert",
      "get-sks-nodepool",
      "list-anti-affinity-groups",
      "list-instance-pools",
      "list-instance-types",
      "list-load-balancers",
      "list-private-networks",
      "list-security-groups",
      "list-sks-cluster-versions",
      "list-zones",
    ]
    dbaas = [
      "get-dbaas-ca-certificate",
      "get-dbaas-service-pg",
      "get-dbaas-settings-pg",
      "list-dbaas-services",
    ]
    iam = ["get-iam-role"]
    sos = ["get-object", "head-object", "list-objects"]
  }

  # Left out on purpose, as an operator's: deleting the cluster or the database, a kubeconfig, passwords of the database,
  # and all of IAM, with which a key could give itself the rest.
  write = {
    compute = [
      "add-rule-to-security-group",
      "create-anti-affinity-group",
      "create-load-balancer",
      "create-private-network",
      "create-security-group",
      "create-sks-cluster",
      "create-sks-nodepool",
      "delete-anti-affinity-group",
      "delete-load-balancer",
      "delete-private-network",
      "delete-rule-from-security-group",
      "delete-security-group",
      "delete-sks-nodepool",
      "scale-sks-nodepool",
      "update-load-balancer",
      "update-private-network",
      "update-sks-cluster",
      "update-sks-nodepool",
      "upgrade-sks-cluster",
      "upgrade-sks-cluster-service-level",
    ]
    dbaas = ["create-dbaas-service-pg", "update-dbaas-service-pg"]
    iam   = []
    # The lock is an object that goes again. The bucket keeps the versions of what is deleted.
    sos = ["delete-object", "put-object"]
  }

  operations = {
    plan  = local.read
    apply = { for service, read in local.read : service => concat(read, local.write[service]) }
  }
}

resource "exoscale_iam_role" "ci" {
  for_each = local.operations

  name        = "${var.name}-${each.key}"
  description = "What the workflow that does tofu ${each.key} needs"
  # Otherwise nothing could change the policy, this file included.
  editable = true

  policy = {
    default_service_strategy = "deny"
    services = {
      for service, operations in each.value : service => {
        type = "rules"
        rules = [{
          action = "allow"
          expression = join(" && ", concat(
            service == "sos" ? ["parameters.bucket == '${var.state_bucket}'"] : [],
            ["operation in ['${join("', '", operations)}']"],
          ))
        }]
      }
    }
  }
}
