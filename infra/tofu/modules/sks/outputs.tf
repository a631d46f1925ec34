output "node_addresses" {
  description = "Public IPv4 addresses of the nodes, from which pods reach the world."
  value       = toset([for i in data.exoscale_instance_pool.nodes.instances : i.public_ip_address])
}

output "kubeconfig" {
  description = "Administrator's kubeconfig, or null."
  value       = one(exoscale_sks_kubeconfig.administrator[*].kubeconfig)
  sensitive   = true
}
