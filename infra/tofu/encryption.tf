# State and plans can hold an administrator's kubeconfig. They are encrypted before they leave this machine, so that who reads
# the bucket reads nothing. Enforced: without the passphrase there is no plan, rather than one in plain text.
terraform {
  encryption {
    key_provider "pbkdf2" "passphrase" {
      passphrase = var.state_passphrase
    }

    method "aes_gcm" "passphrase" {
      keys = key_provider.pbkdf2.passphrase
    }

    state {
      method   = method.aes_gcm.passphrase
      enforced = true
    }

    plan {
      method   = method.aes_gcm.passphrase
      enforced = true
    }
  }
}
