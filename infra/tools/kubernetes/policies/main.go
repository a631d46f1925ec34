// policies enforces NetworkPolicy on the check's single node, whose pods have routed (ptp) interfaces.
//
//	policies KUBECONFIG
//
// It looks at pods, namespaces and policies twice a second and writes one nftables table. It is no reference: what it
// allows rests on its own reading of the API's documentation, and infra/expected/connectivity.txt says what is expected.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is what the rules depend on.
type cluster struct {
	pods       []core.Pod
	namespaces map[string]labels.Set
	policies   []networking.NetworkPolicy
}

func read(client *kubernetes.Clientset) (*cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	pods, err := client.CoreV1().Pods("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	namespaces, err := client.CoreV1().Namespaces().List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	policies, err := client.NetworkingV1().NetworkPolicies("").List(ctx, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	c := &cluster{namespaces: map[string]labels.Set{}, policies: policies.Items}
	for _, namespace := range namespaces.Items {
		c.namespaces[namespace.Name] = namespace.Labels
	}
	for _, pod := range pods.Items {
		ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
		if pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !ended {
			c.pods = append(c.pods, pod)
		}
	}
	return c, nil
}

// selects tells whether a selector matches; one that cannot be read matches nothing.
func selects(selector *meta.LabelSelector, set labels.Set) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

// selected returns the pods that a peer means. A block of addresses means none.
func (c *cluster) selected(namespace string, peer networking.NetworkPolicyPeer) (out []*core.Pod) {
	for i := range c.pods {
		pod := &c.pods[i]
		near := pod.Namespace == namespace
		if peer.NamespaceSelector != nil {
			near = selects(peer.NamespaceSelector, c.namespaces[pod.Namespace])
		}
		if near && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)) {
			out = append(out, pod)
		}
	}
	return out
}

// ports returns a match for each port; ports by name are those of the pod that is connected to.
func ports(list []networking.NetworkPolicyPort, to *core.Pod) (out []string) {
	if len(list) == 0 {
		return []string{""}
	}
	for _, port := range list {
		protocol := "tcp"
		if port.Protocol != nil {
			protocol = strings.ToLower(string(*port.Protocol))
		}
		switch {
		case port.Port == nil:
			out = append(out, "meta l4proto "+protocol)
		case port.Port.Type == intstr.Int && port.EndPort != nil:
			out = append(out, fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort))
		case port.Port.Type == intstr.Int:
			out = append(out, fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal))
		case to != nil:
			for _, container := range to.Spec.Containers {
				for _, named := range container.Ports {
					if named.Name == port.Port.StrVal && strings.EqualFold(string(named.Protocol), protocol) {
						out = append(out, fmt.Sprintf("%s dport %d", protocol, named.ContainerPort))
					}
				}
			}
		}
	}
	return out
}

// allowed returns the matches of one rule, whose peers are at the other end (saddr or daddr) of pod's connections.
func (c *cluster) allowed(namespace, end string, peers []networking.NetworkPolicyPeer, list []networking.NetworkPolicyPort, pod *core.Pod) (out []string) {
	at := func(address string, matches []string) {
		for _, match := range matches {
			out = append(out, "ip "+end+" "+address+" "+match)
		}
	}
	if len(peers) == 0 {
		return ports(list, pod)
	}
	for _, peer := range peers {
		if block := peer.IPBlock; block != nil {
			if strings.Contains(block.CIDR, ":") {
				// Pods here have IPv4 addresses alone.
				continue
			}
			address := block.CIDR
			if len(block.Except) > 0 {
				address += fmt.Sprintf(" ip %s != { %s }", end, strings.Join(block.Except, ", "))
			}
			at(address, ports(list, pod))
			continue
		}
		for _, other := range c.selected(namespace, peer) {
			to := pod
			if to == nil {
				to = other
			}
			at(other.Status.PodIP, ports(list, to))
		}
	}
	return out
}

func governs(policy *networking.NetworkPolicy, direction networking.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) == 0 {
		return direction == networking.PolicyTypeIngress || len(policy.Spec.Egress) > 0
	}
	return slices.Contains(policy.Spec.PolicyTypes, direction)
}

// table returns the rules. A pod that a policy governs in a direction has a chain, which drops what no rule allows.
func (c *cluster) table() string {
	in, out := map[string][]string{}, map[string][]string{}
	for i := range c.pods {
		pod := &c.pods[i]
		for j := range c.policies {
			policy := &c.policies[j]
			if policy.Namespace != pod.Namespace || !selects(&policy.Spec.PodSelector, pod.Labels) {
				continue
			}
			address := pod.Status.PodIP
			if governs(policy, networking.PolicyTypeIngress) {
				matches := in[address]
				for _, rule := range policy.Spec.Ingress {
					matches = append(matches, c.allowed(policy.Namespace, "saddr", rule.From, rule.Ports, pod)...)
				}
				in[address] = matches
			}
			if governs(policy, networking.PolicyTypeEgress) {
				matches := out[address]
				for _, rule := range policy.Spec.Egress {
					matches = append(matches, c.allowed(policy.Namespace, "daddr", rule.To, rule.Ports, nil)...)
				}
				out[address] = matches
			}
		}
	}
	var text bytes.Buffer
	fmt.Fprint(&text, "table ip sundial-policies {}\ndelete table ip sundial-policies\ntable ip sundial-policies {\n")
	chains := func(end, prefix string, rules map[string][]string) (jumps string) {
		for _, address := range slices.Sorted(maps.Keys(rules)) {
			chain := prefix + strings.ReplaceAll(address, ".", "_")
			fmt.Fprintf(&text, "\tchain %s {\n", chain)
			matches := slices.Sorted(slices.Values(rules[address]))
			for _, match := range slices.Compact(matches) {
				fmt.Fprintf(&text, "\t\t%s return\n", match)
			}
			fmt.Fprint(&text, "\t\tcounter drop\n\t}\n")
			jumps += fmt.Sprintf("\t\tip %s %s jump %s\n", end, address, chain)
		}
		return jumps
	}
	leave, enter := chains("saddr", "out_", out), chains("daddr", "in_", in)
	hook := "\tchain %s {\n\t\ttype filter hook %s priority 0; policy accept;\n\t\tct state established,related accept\n%s\t}\n"
	fmt.Fprintf(&text, hook, "forward", "forward", leave+enter)
	// To the node itself, and what runs on it.
	fmt.Fprintf(&text, hook, "input", "input", leave)
	fmt.Fprint(&text, "}\n")
	return text.String()
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	for last := ""; ; time.Sleep(500 * time.Millisecond) {
		seen, err := read(client)
		if err != nil {
			log.Print(err)
			continue
		}
		table := seen.table()
		if table == last {
			continue
		}
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(table)
		if said, err := nft.CombinedOutput(); err != nil {
			log.Printf("nft: %v %s\n%s", err, said, table)
			continue
		}
		last = table
		log.Printf("%d policies are in force", len(seen.policies))
	}
}
