output "keys" {
  description = "Key and secret by what they are for: plan, apply."
  value       = { for name, key in exoscale_iam_api_key.ci : name => { key = key.key, secret = key.secret } }
  sensitive   = true
}
