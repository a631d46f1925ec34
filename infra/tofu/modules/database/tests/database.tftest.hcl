mock_provider "exoscale" {
  mock_resource "exoscale_dbaas" {
    defaults = {
      uri            = "postgres://db.example.org:21699/defaultdb?sslmode=require"
      ca_certificate = "-----BEGIN CERTIFICATE-----"
    }
  }
}

variables {
  zone               = "at-vie-1"
  name               = "sundial"
  postgresql_version = "17"
  addresses          = ["203.0.113.11", "203.0.113.12"]
  # What is protected could not be taken down after a test.
  protected = false
}

run "the_data_is_protected_unless_said_otherwise" {
  command = plan

  variables {
    protected = null # the default
  }

  assert {
    condition     = exoscale_dbaas.postgresql.termination_protection
    error_message = "the service can be deleted"
  }
}

run "postgresql_of_plan_startup_4" {
  assert {
    condition = [
      exoscale_dbaas.postgresql.type,
      exoscale_dbaas.postgresql.plan,
      exoscale_dbaas.postgresql.pg.version,
    ] == ["pg", "startup-4", "17"]
    error_message = "the service is not PostgreSQL 17 of plan startup-4"
  }
}

run "the_named_addresses_and_no_network" {
  assert {
    condition     = exoscale_dbaas.postgresql.pg.ip_filter == toset(["203.0.113.11/32", "203.0.113.12/32"])
    error_message = "others than the nodes may try to log in"
  }
}

run "host_and_port_are_those_of_the_uri" {
  assert {
    condition     = [output.host, tostring(output.port)] == ["db.example.org", "21699"]
    error_message = "host and port are others than in the URI"
  }

  assert {
    condition     = output.ca_certificate == "-----BEGIN CERTIFICATE-----"
    error_message = "the certificate is not handed on"
  }
}

run "the_whole_internet_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["203.0.113.11", "0.0.0.0/0"]
  }
}

run "the_address_of_everything_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["0.0.0.0"]
  }
}

run "the_address_of_everything_is_refused_however_it_is_written" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["00.0.0.0"]
  }
}

run "address_that_is_read_in_two_ways_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["203.0.113.011"]
  }
}

run "network_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["203.0.113.0/24"]
  }
}

run "every_ipv6_address_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["::/0"]
  }
}

run "what_is_no_address_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = ["node-1.example.org"]
  }
}

run "node_without_address_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = [""]
  }
}

run "no_address_is_refused" {
  command         = plan
  expect_failures = [var.addresses]

  variables {
    addresses = []
  }
}

run "hobbyist_plan_is_refused" {
  command         = plan
  expect_failures = [var.plan]

  variables {
    plan = "hobbyist-2"
  }
}

run "old_postgresql_is_refused" {
  command         = plan
  expect_failures = [var.postgresql_version]

  variables {
    postgresql_version = "14"
  }
}

run "zone_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.zone]

  variables {
    zone = "vienna"
  }
}

run "name_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "-sundial"
  }
}
