variable "zone" {
  description = "Exoscale's zone for everything, the bucket of the state too, such as at-vie-1 (`exo zone list`)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]{2,3}-[0-9]$", var.zone))
    error_message = "A zone looks like at-vie-1; `exo zone list` names them."
  }
}

variable "name" {
  description = "Name of the cluster, and the beginning of all other names."
  type        = string
  nullable    = false
  default     = "sundial"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,28}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 30 lower-case letters, digits and dashes, begins with a letter and ends with none of the dashes."
  }
}

variable "state_bucket" {
  description = "Bucket that holds the state, and nothing else: the roles for CI reach it whole."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and dashes; with a dot in it, its certificate would not hold."
  }
}

variable "state_passphrase" {
  description = "Passphrase of state and plans (TF_VAR_state_passphrase). Without it the state is lost: keep it where the state is not."
  type        = string
  nullable    = false
  sensitive   = true

  validation {
    condition     = length(var.state_passphrase) >= 32
    error_message = "The passphrase needs 32 characters or more: openssl rand -hex 32"
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, to the patch, 1.34 or newer (`exo compute sks versions`). A newer one upgrades the control plane."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 34, false)
    error_message = "The version must be a full one, 1.34.0 or newer; `exo compute sks versions` lists what there is."
  }
}

variable "service_level" {
  description = "Level of the control plane: pro (several copies, etcd backed up, an SLA; costs) or starter (free). It can be raised later, and not lowered."
  type        = string
  nullable    = false
  default     = "pro"

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
  description = "How many nodes there are, each on a host of its own."
  type        = number
  nullable    = false
  default     = 3

  validation {
    condition     = var.node_count >= 3 && var.node_count <= 8 && floor(var.node_count) == var.node_count
    error_message = "There are 3 to 8 nodes: with fewer, one that fails takes a replica's place away; an anti-affinity group holds 8."
  }
}

variable "private_network_cidr" {
  description = "Addresses of the private network."
  type        = string
  nullable    = false
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.private_network_cidr)) && can(regex("^(10\\.([0-9]|[1-8][0-9])\\.[0-9]+\\.[0-9]+/(1[6-9]|2[0-4])|172\\.(1[6-9]|2[0-9]|3[01])\\.[0-9]+\\.[0-9]+/(1[6-9]|2[0-4]))$", var.private_network_cidr))
    error_message = "The network is a /16 to /24 of 10.0.0.0 to 10.89.255.255 or of 172.16.0.0/12: SKS gives Services 10.96.0.0/12 and pods 192.168.0.0/16."
  }
}

variable "attach_private_network" {
  description = "Whether the nodes are in the private network too. Security groups do not hold in there."
  type        = bool
  nullable    = false
  default     = false
}

variable "database_plan" {
  description = "Plan of the managed PostgreSQL (`exo dbaas type show pg --plans`)."
  type        = string
  nullable    = false
  default     = "startup-4"

  validation {
    condition     = can(regex("^(startup|business|premium)-[0-9]+$", var.database_plan))
    error_message = "The plan is of the families startup, business or premium, as in startup-4: a hobbyist one has no backups to speak of."
  }
}

variable "database_version" {
  description = "Major version of PostgreSQL (`exo dbaas type show pg`). It is chosen once: another one would be another, empty database."
  type        = string
  nullable    = false
  default     = "17"

  validation {
    condition     = contains(["15", "16", "17", "18"], var.database_version)
    error_message = "Sundial runs on PostgreSQL 15 to 18."
  }
}

variable "database_operator_addresses" {
  description = "IPv4 addresses, besides the nodes', that reach the database: an operator's, for as long as it is needed."
  type        = set(string)
  nullable    = false
  default     = []

  # Zeros in front are read in two ways, and 0.0.0.0 in any spelling is everything to some.
  validation {
    condition     = alltrue([for a in var.database_operator_addresses : can(cidrnetmask("${a}/32")) && !can(regex("^0|\\.0[0-9]", a))])
    error_message = "Single IPv4 addresses such as 203.0.113.7, without a prefix: no network may reach the database."
  }
}

variable "database_protected" {
  description = "Whether neither a plan nor Exoscale deletes the database; off for the end alone."
  type        = bool
  nullable    = false
  default     = true
}

variable "kubeconfig_hours" {
  description = "How long the administrator's kubeconfig holds, which nothing can take back; 0 makes none, as CI does."
  type        = number
  nullable    = false
  default     = 8

  validation {
    condition     = var.kubeconfig_hours >= 0 && var.kubeconfig_hours <= 720 && floor(var.kubeconfig_hours) == var.kubeconfig_hours
    error_message = "Whole hours, 0 to 720."
  }
}
