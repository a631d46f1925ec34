mock_provider "exoscale" {
  mock_resource "exoscale_security_group" {
    defaults = { id = "5ec00000-0000-4000-8000-000000000001" }
  }
}

variables {
  zone = "at-vie-1"
  name = "sundial"
  cidr = "10.0.0.0/16"
}

run "three_rules_and_no_more" {
  assert {
    condition = jsonencode({
      for name, rule in exoscale_security_group_rule.nodes : name => join(" ", [
        rule.type, rule.protocol, rule.start_port, rule.end_port,
        rule.user_security_group_id == exoscale_security_group.nodes.id ? "own group" : rule.cidr,
      ])
      }) == jsonencode({
      kubelet    = "INGRESS TCP 10250 10250 own group"
      vxlan      = "INGRESS UDP 4789 4789 own group"
      node_ports = "INGRESS TCP 30000 32767 0.0.0.0/0"
    })
    error_message = "the rules are not the three that are meant"
  }

  assert {
    condition     = alltrue([for rule in exoscale_security_group_rule.nodes : rule.security_group_id == exoscale_security_group.nodes.id])
    error_message = "a rule is of another group"
  }
}

run "private_network_is_the_cidr" {
  assert {
    condition = [
      exoscale_private_network.private.netmask,
      exoscale_private_network.private.start_ip,
      exoscale_private_network.private.end_ip,
    ] == ["255.255.0.0", "10.0.0.20", "10.0.255.253"]
    error_message = "the private network is not 10.0.0.0/16"
  }
}

run "smaller_network" {
  variables {
    cidr = "172.16.4.0/24"
  }

  assert {
    condition     = [exoscale_private_network.private.netmask, exoscale_private_network.private.end_ip] == ["255.255.255.0", "172.16.4.253"]
    error_message = "a /24 does not end where it should"
  }
}

run "public_network_is_refused" {
  command         = plan
  expect_failures = [var.cidr]

  variables {
    cidr = "203.0.113.0/24"
  }
}

run "everything_is_refused" {
  command         = plan
  expect_failures = [var.cidr]

  variables {
    cidr = "0.0.0.0/0"
  }
}

run "address_is_no_network" {
  command         = plan
  expect_failures = [var.cidr]

  variables {
    cidr = "10.0.0.0"
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
    name = "Sundial_"
  }
}
