terraform {
  required_providers {
    exoscale = {
      source  = "exoscale/exoscale"
      version = "0.70.0"
    }
  }
}
