mock_provider "exoscale" {}

variables {
  name         = "sundial"
  state_bucket = "sundial-state-4f1c"
}

run "what_is_not_named_is_denied" {
  assert {
    condition     = toset(keys(exoscale_iam_role.ci)) == toset(["plan", "apply"])
    error_message = "there are other roles than plan and apply"
  }

  assert {
    condition = alltrue(flatten([
      for role in exoscale_iam_role.ci : [
        role.policy.default_service_strategy == "deny",
        toset(keys(role.policy.services)) == toset(["compute", "dbaas", "iam", "sos"]),
        [for service in role.policy.services : service.type == "rules"],
        # One rule each, and it names its operations.
        [for service in role.policy.services : length(service.rules) == 1 && service.rules[0].action == "allow"],
        [for service in role.policy.services : can(regex("operation in \\['[a-z-]+'(, '[a-z-]+')*\\]$", service.rules[0].expression))],
      ]
    ]))
    error_message = "a role allows more than the operations it names"
  }
}

run "state_bucket_and_no_other" {
  assert {
    condition = {
      for name, role in exoscale_iam_role.ci : name => role.policy.services["sos"].rules[0].expression
      } == {
      plan  = "parameters.bucket == 'sundial-state-4f1c' && operation in ['get-object', 'head-object', 'list-objects']"
      apply = "parameters.bucket == 'sundial-state-4f1c' && operation in ['get-object', 'head-object', 'list-objects', 'delete-object', 'put-object']"
    }
    error_message = "a role reaches another bucket, or does more in it"
  }
}

run "plan_reads_only" {
  assert {
    condition     = alltrue([for o in flatten(values(local.operations.plan)) : can(regex("^(get|head|list)-", o))])
    error_message = "the role of plan can change something"
  }
}

run "apply_cannot_end_or_open_what_holds_data" {
  assert {
    condition = length(setintersection(flatten(values(local.operations.apply)), [
      "delete-dbaas-service",
      "delete-dbaas-service-pg",
      "delete-sks-cluster",
      "generate-sks-cluster-kubeconfig",
      "reset-dbaas-postgres-user-password",
      "reveal-dbaas-postgres-user-password",
    ])) == 0
    error_message = "the role of apply can delete the cluster or the database, or read its passwords"
  }

  assert {
    condition     = toset(local.operations.apply.iam) == toset(["get-iam-role"])
    error_message = "the role of apply could make itself another"
  }
}

run "roles_are_named_after_what_they_do" {
  assert {
    condition     = output.roles["plan"] == "sundial-plan" && output.roles["apply"] == "sundial-apply"
    error_message = "the roles have other names"
  }
}

run "bucket_that_would_end_the_expression_is_refused" {
  command         = plan
  expect_failures = [var.state_bucket]

  variables {
    state_bucket = "x' || true || 'x' == '"
  }
}

run "name_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "sun dial"
  }
}
