module "network" {
  source = "./modules/network"

  zone = var.zone
  name = var.name
  cidr = var.private_network_cidr
}

module "sks" {
  source = "./modules/sks"

  zone                = var.zone
  name                = var.name
  kubernetes_version  = var.kubernetes_version
  service_level       = var.service_level
  node_type           = var.node_type
  node_count          = var.node_count
  security_group_id   = module.network.security_group_id
  private_network_ids = var.attach_private_network ? [module.network.private_network_id] : []
  kubeconfig_hours    = var.kubeconfig_hours
}

module "database" {
  source = "./modules/database"

  zone               = var.zone
  name               = var.name
  plan               = var.database_plan
  postgresql_version = var.database_version
  addresses          = setunion(module.sks.node_addresses, var.database_operator_addresses)
  protected          = var.database_protected
}

module "nlb" {
  source = "./modules/nlb"

  zone = var.zone
  name = var.name
}

module "iam" {
  source = "./modules/iam"

  name         = var.name
  state_bucket = var.state_bucket
}
