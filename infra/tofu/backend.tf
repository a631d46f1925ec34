# The state lies in a bucket of Exoscale's object storage (SOS). The bucket has to be there before, with versioning on, so
# that each earlier state can be had back: the README has the commands. The key comes from AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY, which take an Exoscale key.
terraform {
  backend "s3" {
    bucket    = var.state_bucket
    key       = "tofu.tfstate"
    region    = var.zone
    endpoints = { s3 = "https://sos-${var.zone}.exo.io" }

    # The lock is an object beside the state that SOS lets only one writer make (a conditional write).
    use_lockfile = true

    # These ask services that only AWS has.
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }
}
