output "kubeconfig" {
  description = "Administrator's kubeconfig, for Argo CD's bootstrap; null when kubeconfig_hours is 0."
  value       = module.sks.kubeconfig
  sensitive   = true
}

output "gateway_annotations" {
  description = "Annotations of the gateway's Service, which bind it to the load balancer made here."
  value       = module.nlb.annotations
}

output "gateway_address" {
  description = "Address of the load balancer: the A record of each tenant's host."
  value       = module.nlb.ip_address
}

output "database_host" {
  description = "Host name of PostgreSQL."
  value       = module.database.host
}

output "database_port" {
  description = "Port of PostgreSQL, which is not 5432."
  value       = module.database.port
}

output "database_ca_certificate" {
  description = "Certificate of the authority that signs PostgreSQL's, for sslmode=verify-full."
  value       = module.database.ca_certificate
}

output "database_ip_filter" {
  description = "What may try to log in to PostgreSQL: the nodes, and an operator for as long as it is needed."
  value       = module.database.ip_filter
}

output "chart_database" {
  description = "The chart's value `database`, for its network policies."
  value = {
    port = module.database.port
    # Exoscale promises a name, and moves the service behind it to other addresses when it maintains it. A policy that
    # names today's would cut the backend off then. Empty: that port, everywhere but private addresses.
    addresses = []
  }
}

output "ci_roles" {
  description = "Roles of the keys with which workflows plan and apply."
  value       = module.iam.roles
}
