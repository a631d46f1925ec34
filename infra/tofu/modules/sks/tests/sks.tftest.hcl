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
}

variables {
  zone               = "at-vie-1"
  name               = "sundial"
  kubernetes_version = "1.34.4"
  service_level      = "pro"
  security_group_id  = "5ec00000-0000-4000-8000-000000000001"
}

run "calico_controller_and_metrics" {
  assert {
    condition = [
      exoscale_sks_cluster.this.cni,
      exoscale_sks_cluster.this.version,
      exoscale_sks_cluster.this.service_level,
    ] == ["calico", "1.34.4", "pro"]
    error_message = "the cluster is not Calico's 1.34.4 at level pro"
  }

  assert {
    condition = [
      exoscale_sks_cluster.this.exoscale_ccm,
      exoscale_sks_cluster.this.metrics_server,
      exoscale_sks_cluster.this.exoscale_csi,
      exoscale_sks_cluster.this.auto_upgrade,
      exoscale_sks_cluster.this.create_default_security_group,
    ] == [true, true, false, false, false]
    error_message = "the cluster has other parts than controller manager and metrics server"
  }
}

run "three_medium_nodes_on_hosts_of_their_own" {
  assert {
    condition     = [exoscale_sks_nodepool.nodes.instance_type, tostring(exoscale_sks_nodepool.nodes.size)] == ["standard.medium", "3"]
    error_message = "there are not three standard.medium nodes"
  }

  assert {
    condition     = exoscale_sks_nodepool.nodes.anti_affinity_group_ids == toset([exoscale_anti_affinity_group.nodes.id])
    error_message = "the nodes may share a host"
  }

  assert {
    condition     = exoscale_sks_nodepool.nodes.security_group_ids == toset([var.security_group_id])
    error_message = "the nodes are in another security group, or in more than one"
  }

  assert {
    condition     = length(exoscale_sks_nodepool.nodes.private_network_ids) == 0
    error_message = "the nodes are in a private network that nobody asked for"
  }

  assert {
    condition     = output.node_addresses == toset(["203.0.113.11", "203.0.113.12", "203.0.113.13"])
    error_message = "the nodes' addresses are not those of the pool"
  }
}

run "private_network_is_attached_when_asked_for" {
  variables {
    private_network_ids = ["9e700000-0000-4000-8000-000000000001"]
  }

  assert {
    condition     = exoscale_sks_nodepool.nodes.private_network_ids == toset(["9e700000-0000-4000-8000-000000000001"])
    error_message = "the nodes are not in the private network"
  }
}

run "kubeconfig_is_short_lived" {
  assert {
    condition     = exoscale_sks_kubeconfig.administrator[0].ttl_seconds == 8 * 3600
    error_message = "the kubeconfig does not end after eight hours"
  }

  assert {
    condition     = output.kubeconfig == exoscale_sks_kubeconfig.administrator[0].kubeconfig
    error_message = "the kubeconfig is not handed on"
  }
}

run "no_kubeconfig_at_zero_hours" {
  variables {
    kubeconfig_hours = 0
  }

  assert {
    condition     = length(exoscale_sks_kubeconfig.administrator) == 0 && output.kubeconfig == null
    error_message = "there is a kubeconfig that nobody asked for"
  }
}

run "old_kubernetes_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.33.9"
  }
}

run "ancient_kubernetes_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.4.0"
  }
}

# The provider's 0.70 takes whole versions only.
run "kubernetes_without_patch_is_refused" {
  command         = plan
  expect_failures = [var.kubernetes_version]

  variables {
    kubernetes_version = "1.34"
  }
}

run "service_level_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.service_level]

  variables {
    service_level = "free"
  }
}

run "small_node_is_refused" {
  command         = plan
  expect_failures = [var.node_type]

  variables {
    node_type = "standard.micro"
  }
}

run "two_nodes_are_refused" {
  command         = plan
  expect_failures = [var.node_count]

  variables {
    node_count = 2
  }
}

run "more_nodes_than_the_group_holds_are_refused" {
  command         = plan
  expect_failures = [var.node_count]

  variables {
    node_count = 9
  }
}

run "half_a_node_is_refused" {
  command         = plan
  expect_failures = [var.node_count]

  variables {
    node_count = 3.5
  }
}

run "no_security_group_is_refused" {
  command         = plan
  expect_failures = [var.security_group_id]

  variables {
    security_group_id = ""
  }
}

run "empty_private_network_is_refused" {
  command         = plan
  expect_failures = [var.private_network_ids]

  variables {
    private_network_ids = [""]
  }
}

run "kubeconfig_of_a_year_is_refused" {
  command         = plan
  expect_failures = [var.kubeconfig_hours]

  variables {
    kubeconfig_hours = 8760
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
    name = "s"
  }
}
