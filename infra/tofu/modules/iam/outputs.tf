output "roles" {
  description = "Names of the roles by what they are for: plan, apply."
  value       = { for name, role in exoscale_iam_role.ci : name => role.name }
}
