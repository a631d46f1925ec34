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

variable "cidr" {
  description = "Addresses of the private network."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.).*/(1[6-9]|2[0-4])$", var.cidr))
    error_message = "The network is a /16 to /24 of private IPv4 addresses."
  }
}
