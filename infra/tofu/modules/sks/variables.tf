variable "zone" {
  description = "Exoscale zone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]{2,3}-[0-9]$", var.zone))
    error_message = "A zone looks like at-vie-1; `exo zone list` names them."
  }
}

variable "name" {
  description = "Beginning of the names of what is made."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 30 lower-case letters, digits and dashes, begins with a letter and ends with none of the dashes."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, to the patch, 1.34 or newer."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 34, false)
    error_message = "The version must be a full one, 1.34.0 or newer; `exo compute sks versions` lists what there is."
  }
}

variable "service_level" {
  description = "Level of the control plane: pro or starter."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["pro", "starter"], var.service_level)
    error_message = "The service level is pro or starter."
  }
}

variable "node_type" {
  description = "Instance type of the nodes."
  type        = string
  nullable    = false
  default     = "standard.medium"

  validation {
    condition     = can(regex("^(standard|cpu|memory)\\.(medium|large|extra-large|huge)$", var.node_type))
    error_message = "The type is of the families standard, cpu or memory, and medium or larger, as in standard.medium."
  }
}

variable "node_count" {
  description = "How many nodes there are."
  type        = number
  nullable    = false
  default     = 3

  validation {
    condition     = var.node_count >= 3 && var.node_count <= 8 && floor(var.node_count) == var.node_count
    error_message = "There are 3 to 8 nodes: with fewer, one that fails takes a replica's place away; an anti-affinity group holds 8."
  }
}

variable "security_group_id" {
  description = "Security group of the nodes; they are in no other."
  type        = string
  nullable    = false

  validation {
    condition     = var.security_group_id != ""
    error_message = "Without a security group the nodes could not reach each other."
  }
}

variable "private_network_ids" {
  description = "Private networks of the nodes."
  type        = set(string)
  nullable    = false
  default     = []

  validation {
    condition     = !contains(var.private_network_ids, "")
    error_message = "An id of a private network is empty."
  }
}

variable "kubeconfig_hours" {
  description = "How long the administrator's kubeconfig holds; 0 makes none."
  type        = number
  nullable    = false
  default     = 8

  validation {
    condition     = var.kubeconfig_hours >= 0 && var.kubeconfig_hours <= 720 && floor(var.kubeconfig_hours) == var.kubeconfig_hours
    error_message = "Whole hours, 0 to 720."
  }
}
