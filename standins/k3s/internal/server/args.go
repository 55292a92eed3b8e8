package server

import (
	"strconv"

	"groundwork/standins/k3s/internal/agent"
)

// apiServerArgs are K3s's flags for kube-apiserver, but that it listens itself on the cluster's port.
func (s *Server) apiServerArgs() []string {
	c := s.Config
	own := map[string]string{
		"bind-address": c.BindAddress, "advertise-address": c.AdvertiseAddress, "secure-port": strconv.Itoa(c.HTTPSListenPort),
		"allow-privileged": "true", "anonymous-auth": "false", "profiling": "false",
		"authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction", "enable-aggregator-routing": "true",
		"enable-bootstrap-token-auth": "true",
		"api-audiences":               issuer(c.ClusterDomain) + ",k3s",
		"service-account-issuer":      issuer(c.ClusterDomain), "service-account-key-file": c.TLS("service.key"),
		"service-account-signing-key-file": c.TLS("service.key"),
		"service-cluster-ip-range":         c.ServiceCIDR, "service-node-port-range": c.ServiceNodePorts,
		"cert-dir": c.TLS("temporary-certs"), "client-ca-file": c.TLS("client-ca.crt"),
		"tls-cert-file": c.TLS("serving-kube-apiserver.crt"), "tls-private-key-file": c.TLS("serving-kube-apiserver.key"),
		"tls-cipher-suites": agent.TLSCiphers, "tls-min-version": "VersionTLS12",
		"kubelet-certificate-authority": c.TLS("server-ca.crt"),
		"kubelet-client-certificate":    c.TLS("client-kube-apiserver.crt"), "kubelet-client-key": c.TLS("client-kube-apiserver.key"),
		"kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
		"proxy-client-cert-file":          c.TLS("client-auth-proxy.crt"), "proxy-client-key-file": c.TLS("client-auth-proxy.key"),
		"requestheader-allowed-names": "system:auth-proxy", "requestheader-client-ca-file": c.TLS("request-header-ca.crt"),
		"requestheader-extra-headers-prefix": "X-Remote-Extra-", "requestheader-group-headers": "X-Remote-Group",
		"requestheader-username-headers": "X-Remote-User",
		"storage-backend":                "etcd3", "etcd-servers": etcdEndpoint, "etcd-cafile": c.TLS("etcd", "server-ca.crt"),
		"etcd-certfile": c.TLS("etcd", "client.crt"), "etcd-keyfile": c.TLS("etcd", "client.key"),
		// A stop must not wait for watches: the nodes' clients come back by themselves.
		"shutdown-delay-duration": "0s",
	}
	if c.SecretsEncryption {
		own["encryption-provider-config"] = c.Server("cred", encryptionFile)
		own["encryption-provider-config-automatic-reload"] = "true"
	}
	if c.Debug {
		own["v"] = "4"
	}
	return agent.Flags("kube-apiserver", own, c.APIServerArg)
}

func issuer(domain string) string { return "https://kubernetes.default.svc." + domain }

func (s *Server) controllerArgs() []string {
	c := s.Config
	kubeconfig := c.Server("cred", "controller.kubeconfig")
	return agent.Flags("kube-controller-manager", map[string]string{
		"kubeconfig": kubeconfig, "authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig,
		"bind-address": "127.0.0.1", "secure-port": "10257", "profiling": "false", "leader-elect": strconv.FormatBool(c.Clustered()),
		"use-service-account-credentials": "true", "service-account-private-key-file": c.TLS("service.key"),
		"root-ca-file": c.TLS("server-ca.crt"), "allocate-node-cidrs": "true", "cluster-cidr": c.ClusterCIDR, "service-cluster-ip-range": c.ServiceCIDR,
		"controllers": "*,tokencleaner",
		"cluster-signing-kube-apiserver-client-cert-file": c.TLS("client-ca.crt"), "cluster-signing-kube-apiserver-client-key-file": c.TLS("client-ca.key"),
		"cluster-signing-kubelet-client-cert-file": c.TLS("client-ca.crt"), "cluster-signing-kubelet-client-key-file": c.TLS("client-ca.key"),
		"cluster-signing-kubelet-serving-cert-file": c.TLS("server-ca.crt"), "cluster-signing-kubelet-serving-key-file": c.TLS("server-ca.key"),
		"cluster-signing-legacy-unknown-cert-file": c.TLS("server-ca.crt"), "cluster-signing-legacy-unknown-key-file": c.TLS("server-ca.key"),
		"tls-cert-file": c.TLS("serving-kube-apiserver.crt"), "tls-private-key-file": c.TLS("serving-kube-apiserver.key"),
	}, c.ControllerArg)
}

func (s *Server) schedulerArgs() []string {
	c := s.Config
	kubeconfig := c.Server("cred", "scheduler.kubeconfig")
	return agent.Flags("kube-scheduler", map[string]string{
		"kubeconfig": kubeconfig, "authentication-kubeconfig": kubeconfig, "authorization-kubeconfig": kubeconfig,
		"bind-address": "127.0.0.1", "secure-port": "10259", "profiling": "false", "leader-elect": strconv.FormatBool(c.Clustered()),
		"tls-cert-file": c.TLS("serving-kube-apiserver.crt"), "tls-private-key-file": c.TLS("serving-kube-apiserver.key"),
	}, c.SchedulerArg)
}
