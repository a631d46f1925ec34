# For what will be in it one day: managed PostgreSQL cannot be. The first twenty addresses are left for static ones.
resource "exoscale_private_network" "private" {
  zone        = var.zone
  name        = var.name
  description = "Private network of ${var.name}"
  netmask     = cidrnetmask(var.cidr)
  start_ip    = cidrhost(var.cidr, 20)
  end_ip      = cidrhost(var.cidr, -3)
}

resource "exoscale_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Nodes of ${var.name}"
}

# What comes in and is not named here is refused.
locals {
  rules = {
    kubelet = {
      description = "kubelet, between nodes"
      protocol    = "TCP"
      ports       = [10250, 10250]
      public      = false
    }
    vxlan = {
      description = "Calico's VXLAN, between nodes"
      protocol    = "UDP"
      ports       = [4789, 4789]
      public      = false
    }
    # The load balancer passes a client's own address on, so that the source can be any.
    node_ports = {
      description = "Node ports, by the load balancer"
      protocol    = "TCP"
      ports       = [30000, 32767]
      public      = true
    }
  }
}

resource "exoscale_security_group_rule" "nodes" {
  for_each = local.rules

  security_group_id      = exoscale_security_group.nodes.id
  description            = each.value.description
  type                   = "INGRESS"
  protocol               = each.value.protocol
  start_port             = each.value.ports[0]
  end_port               = each.value.ports[1]
  cidr                   = each.value.public ? "0.0.0.0/0" : null
  user_security_group_id = each.value.public ? null : exoscale_security_group.nodes.id
}
