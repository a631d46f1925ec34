mock_provider "exoscale" {
  mock_resource "exoscale_nlb" {
    defaults = {
      id         = "61b00000-0000-4000-8000-000000000001"
      ip_address = "203.0.113.80"
    }
  }
}

variables {
  zone = "at-vie-1"
  name = "sundial"
}

run "service_binds_and_does_not_own" {
  assert {
    condition = output.annotations == {
      "service.beta.kubernetes.io/exoscale-loadbalancer-id"       = "61b00000-0000-4000-8000-000000000001"
      "service.beta.kubernetes.io/exoscale-loadbalancer-external" = "true"
    }
    error_message = "the annotations do not bind the Service to this load balancer, or let the controller delete it"
  }

  assert {
    condition     = output.ip_address == "203.0.113.80"
    error_message = "the address is not the load balancer's"
  }

  assert {
    condition     = [exoscale_nlb.gateway.zone, exoscale_nlb.gateway.name] == ["at-vie-1", "sundial-gateway"]
    error_message = "the load balancer is another one"
  }
}

run "zone_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.zone]

  variables {
    zone = ""
  }
}

run "name_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.name]

  variables {
    name = "sundial-"
  }
}
