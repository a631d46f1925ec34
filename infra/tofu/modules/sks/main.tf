resource "exoscale_sks_cluster" "this" {
  zone          = var.zone
  name          = var.name
  version       = var.kubernetes_version
  service_level = var.service_level
  cni           = "calico"

  # The cloud controller manager binds the gateway's Service to the load balancer, with a key that SKS makes for it and
  # nobody sees. The autoscaler needs the metrics server.
  exoscale_ccm   = true
  metrics_server = true
  # Nothing here keeps data in a volume.
  exoscale_csi = false

  # The version is the variable's: after an upgrade by itself each plan would want to go back.
  auto_upgrade = false
  # The module network has one with less in it.
  create_default_security_group = false
}

# Each node on a host of its own.
resource "exoscale_anti_affinity_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "Nodes of ${var.name}"
}

resource "exoscale_sks_nodepool" "nodes" {
  zone                    = var.zone
  cluster_id              = exoscale_sks_cluster.this.id
  name                    = "${var.name}-nodes"
  instance_prefix         = var.name
  instance_type           = var.node_type
  size                    = var.node_count
  disk_size               = 50
  anti_affinity_group_ids = [exoscale_anti_affinity_group.nodes.id]
  security_group_ids      = [var.security_group_id]
  private_network_ids     = var.private_network_ids
}

data "exoscale_instance_pool" "nodes" {
  zone = var.zone
  id   = exoscale_sks_nodepool.nodes.instance_pool_id

  # A pool that grows keeps its id: without this its new nodes would be seen at the next apply only.
  depends_on = [exoscale_sks_nodepool.nodes]
}

# An administrator's, since the first thing that a cluster needs is one. It cannot be taken back, so that it is short-lived.
resource "exoscale_sks_kubeconfig" "administrator" {
  count = var.kubeconfig_hours > 0 ? 1 : 0

  zone        = var.zone
  cluster_id  = exoscale_sks_cluster.this.id
  user        = "${var.name}-bootstrap"
  groups      = ["system:masters"]
  ttl_seconds = var.kubeconfig_hours * 3600
}
