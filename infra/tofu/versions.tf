terraform {
  # Patches only: a minor version may change how the state is encrypted or locked.
  required_version = "~> 1.12.6"

  required_providers {
    exoscale = {
      source  = "exoscale/exoscale"
      version = "0.70.0"
    }
  }
}

# The key comes from EXOSCALE_API_KEY and EXOSCALE_API_SECRET.
provider "exoscale" {}
