# Made here and not by the gateway's Service, so that its address outlives the Service, the gateway and the cluster: the
# hosts' DNS records point to it. Its ports are the Service's affair (cloud controller manager).
resource "exoscale_nlb" "gateway" {
  zone        = var.zone
  name        = "${var.name}-gateway"
  description = "Gateway of ${var.name}"
}
