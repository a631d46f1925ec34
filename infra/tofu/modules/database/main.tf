# Managed PostgreSQL cannot be in the private network: it has a public address, behind a filter of the addresses that may
# try, TLS and passwords.
#
# No user and no database is made here. Exoscale's API makes users that log in and no more, while Sundial's owner has to
# make the tenants' roles and to own the database, which only the service's administrator can give: ../../owner.sql does.
# The tenants' roles are made, each bound to its tenant, when a tenant is onboarded; made here they would be bound to none,
# and their passwords would be in the state.
resource "exoscale_dbaas" "postgresql" {
  zone = var.zone
  name = "${var.name}-postgresql"
  type = "pg"
  plan = var.plan

  maintenance_dow  = "sunday"
  maintenance_time = "02:00:00"

  # Exoscale refuses to delete it while this is on.
  termination_protection = var.protected

  pg = {
    version         = var.postgresql_version
    backup_schedule = "00:30"
    ip_filter       = [for a in var.addresses : "${a}/32"]
  }

  lifecycle {
    # A plan that would replace the data by nothing fails, as one for another major version.
    prevent_destroy = var.protected
  }
}

locals {
  # postgres://HOST:PORT/defaultdb?sslmode=require
  endpoint = regex("^postgres(?:ql)?://(?P<host>[^:/]+):(?P<port>[0-9]+)/", exoscale_dbaas.postgresql.uri)
}
