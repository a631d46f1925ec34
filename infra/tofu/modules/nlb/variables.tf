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
