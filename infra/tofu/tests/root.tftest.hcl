mock_provider "exoscale" {
  mock_data "exoscale_instance_pool" {
    defaults = {
      instances = [
        { id = "1", name = "a", ipv6_address = "", public_ip_address = "203.0.113.11" },
        { id = "2", name = "b", ipv6_address = "", public_ip_address = "203.0.113.12" },
        { id = "3", name = "c", ipv6_address = "", public_ip_address = "203.0.113.13" },
      ]
    }
  }

  mock_resource "exoscale_dbaas" {
    defaults = {
      uri            = "postgres://db.example.org:21699/defaultdb?sslmode=require"
      ca_certificate = "-----BEGIN CERTIFICATE-----"
    }
  }
}

# Zone, bucket and version are those of terraform.tfvars.example.
variables {
  state_passphrase = "0123456789abcdef0123456789abcdef"
  # What is protected could not be taken down after a test.
  database_protected = false
}

run "nodes_reach_the_database_and_nobody_else" {
  assert {
    condition     = output.database_ip_filter == toset(["203.0.113.11/32", "203.0.113.12/32", "203.0.113.13/32"])
    error_message = "the database's filter is not the nodes' addresses"
  }
}

run "operator_reaches_the_database_when_named" {
  variables {
    database_operator_addresses = ["198.51.100.7"]
  }

  assert {
    condition     = length(output.database_ip_filter) == 4 && contains(output.database_ip_filter, "198.51.100.7/32")
    error_message = "the operator's address is not in the database's filter"
  }
}

run "what_is_made_unless_said_otherwise" {
  command = plan

  assert {
    condition = [
      var.name, var.service_level, var.node_type, tostring(var.node_count), var.private_network_cidr, var.database_plan,
    ] == ["sundial", "pro", "standard.medium", "3", "10.0.0.0/16", "startup-4"]
    error_message = "the default, or the example, is another one"
  }

  assert {
    condition     = !var.attach_private_network && length(var.database_operator_addresses) == 0
    error_message = "more is reached than has to be"
  }
}

run "what_the_bootstrap_takes" {
  assert {
    condition = [output.database_host, tostring(output.database_port), output.database_ca_certificate] == [
      "db.example.org", "21699", "-----BEGIN CERTIFICATE-----",
    ]
    error_message = "host, port and certificate are not those of the database"
  }

  assert {
    condition     = output.chart_database.port == 21699 && length(output.chart_database.addresses) == 0
    error_message = "the chart's network policies would not let the backend reach the database"
  }

  assert {
    condition     = output.gateway_annotations == module.nlb.annotations && output.gateway_address == module.nlb.ip_address
    error_message = "the gateway would not bind to the load balancer"
  }

  assert {
    condition     = output.kubeconfig == module.sks.kubeconfig && output.kubeconfig != null
    error_message = "there is no kubeconfig"
  }

  assert {
    condition     = toset(values(output.ci_roles)) == toset(["sundial-plan", "sundial-apply"])
    error_message = "the roles for CI are others"
  }
}

run "zone_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.zone]

  variables {
    zone = "eu-central-1"
  }
}

run "name_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "Sundial"
  }
}

run "bucket_with_a_dot_is_refused" {
  command         = plan
  expect_failures = [var.state_bucket]

  variables {
    state_bucket = "sundial.state"
  }
}

run "short_passphrase_is_refused" {
  command         = plan
  expect_failures = [var.state_passphrase]

  variables {
    state_passphrase = "0123456789abcdef"
  }
}

run "old_kubernetes_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.28.4"
  }
}

run "kubernetes_without_patch_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.35"
  }
}

run "service_level_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.service_level]

  variables {
    service_level = "basic"
  }
}

run "tiny_node_is_refused" {
  command         = plan
  expect_failures = [var.node_type]

  variables {
    node_type = "standard.tiny"
  }
}

run "one_node_is_refused" {
  command         = plan
  expect_failures = [var.node_count]

  variables {
    node_count = 1
  }
}

run "public_network_is_refused" {
  command         = plan
  expect_failures = [var.private_network_cidr]

  variables {
    private_network_cidr = "0.0.0.0/0"
  }
}

run "network_of_the_services_is_refused" {
  command         = plan
  expect_failures = [var.private_network_cidr]

  variables {
    private_network_cidr = "10.96.0.0/16"
  }
}

run "network_of_the_pods_is_refused" {
  command         = plan
  expect_failures = [var.private_network_cidr]

  variables {
    private_network_cidr = "192.168.0.0/16"
  }
}

run "hobbyist_plan_is_refused" {
  command         = plan
  expect_failures = [var.database_plan]

  variables {
    database_plan = "hobbyist-2"
  }
}

run "old_postgresql_is_refused" {
  command         = plan
  expect_failures = [var.database_version]

  variables {
    database_version = "14"
  }
}

run "the_whole_internet_is_refused" {
  command         = plan
  expect_failures = [var.database_operator_addresses]

  variables {
    database_operator_addresses = ["0.0.0.0/0"]
  }
}

run "the_address_of_everything_is_refused_however_it_is_written" {
  command         = plan
  expect_failures = [var.database_operator_addresses]

  variables {
    database_operator_addresses = ["00.0.0.0"]
  }
}

run "network_of_an_operator_is_refused" {
  command         = plan
  expect_failures = [var.database_operator_addresses]

  variables {
    database_operator_addresses = ["198.51.100.0/24"]
  }
}

run "name_as_an_address_is_refused" {
  command         = plan
  expect_failures = [var.database_operator_addresses]

  variables {
    database_operator_addresses = ["office.example.org"]
  }
}

run "kubeconfig_of_a_year_is_refused" {
  command         = plan
  expect_failures = [var.kubeconfig_hours]

  variables {
    kubeconfig_hours = 8760
  }
}
