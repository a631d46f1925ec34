output "host" {
  description = "Host name of PostgreSQL."
  value       = local.endpoint.host
}

output "port" {
  description = "Port of PostgreSQL."
  value       = tonumber(local.endpoint.port)
}

output "ca_certificate" {
  description = "Certificate of the authority that signs PostgreSQL's. It is public, whatever the provider says."
  value       = nonsensitive(exoscale_dbaas.postgresql.ca_certificate)
}

output "ip_filter" {
  description = "What may try to log in."
  value       = exoscale_dbaas.postgresql.pg.ip_filter
}
