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

variable "plan" {
  description = "Plan of the service."
  type        = string
  nullable    = false
  default     = "startup-4"

  validation {
    condition     = can(regex("^(startup|business|premium)-[0-9]+$", var.plan))
    error_message = "The plan is of the families startup, business or premium, as in startup-4."
  }
}

variable "postgresql_version" {
  description = "Major version of PostgreSQL."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["15", "16", "17", "18"], var.postgresql_version)
    error_message = "Sundial runs on PostgreSQL 15 to 18."
  }
}

variable "addresses" {
  description = "IPv4 addresses that may try to log in: the nodes', without a prefix."
  type        = set(string)
  nullable    = false

  # Zeros in front are read in two ways, and 0.0.0.0 in any spelling is everything to some.
  validation {
    condition     = alltrue([for a in var.addresses : can(cidrnetmask("${a}/32")) && !can(regex("^0|\\.0[0-9]", a))])
    error_message = "Single IPv4 addresses such as 203.0.113.7, without a prefix: no network may reach the database."
  }

  validation {
    condition     = length(var.addresses) > 0
    error_message = "No node has an address yet, and an empty filter is not for us to guess: please apply again when the nodes are up."
  }
}

variable "protected" {
  description = "Whether neither a plan nor Exoscale deletes the service."
  type        = bool
  nullable    = false
  default     = true
}
