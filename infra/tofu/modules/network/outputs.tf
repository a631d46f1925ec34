output "security_group_id" {
  description = "Security group of the nodes."
  value       = exoscale_security_group.nodes.id
}

output "private_network_id" {
  description = "The private network."
  value       = exoscale_private_network.private.id
}
