output "annotations" {
  description = "Annotations of the Service that binds to the load balancer."
  value = {
    "service.beta.kubernetes.io/exoscale-loadbalancer-id" = exoscale_nlb.gateway.id
    # The controller neither renames nor deletes it.
    "service.beta.kubernetes.io/exoscale-loadbalancer-external" = "true"
  }
}

output "ip_address" {
  description = "IPv4 address of the load balancer."
  value       = exoscale_nlb.gateway.ip_address
}
