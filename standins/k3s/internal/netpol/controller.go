package netpol

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	settle  = 30 * time.Millisecond // a burst of changes becomes one write
	recheck = 10 * time.Second      // other programs may have moved the hook
)

// Controller enforces NetworkPolicy for the pods of one node.
type Controller struct {
	Client kubernetes.Interface
	Node   string
	Log    io.Writer
}

// Run keeps the rules until ctx ends; they stay when it does, as kube-proxy's do.
func (c Controller) Run(ctx context.Context) {
	f := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithTransform(trim))
	pods, namespaces, policies := f.Core().V1().Pods(), f.Core().V1().Namespaces(), f.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, UpdateFunc: func(any, any) { poke() }, DeleteFunc: func(any) { poke() },
	}
	for _, i := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		_, _ = i.AddEventHandler(handler)
	}
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	applied := ""
	tick := time.NewTicker(recheck)
	defer tick.Stop()
	for ctx.Err() == nil {
		s := State{Node: c.Node, Namespaces: map[string]labels.Set{}}
		s.Pods, _ = pods.Lister().List(labels.Everything())
		s.Policies, _ = policies.Lister().List(labels.Everything())
		all, _ := namespaces.Lister().List(labels.Everything())
		for _, n := range all {
			s.Namespaces[n.Name] = n.Labels
		}
		rules := Rules(s)
		if rules != applied || !hooked() {
			if err := apply(rules); err != nil {
				fmt.Fprintf(c.Log, "network policies: %v\n", err)
				time.AfterFunc(time.Second, poke)
			} else {
				applied = rules
			}
		}
		select {
		case <-changed:
			time.Sleep(settle)
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// trim drops what the rules don't look at: a cluster's pods are many, and this cache holds them all.
func trim(o any) (any, error) {
	if p, ok := o.(*corev1.Pod); ok {
		var containers, init []corev1.Container
		for _, c := range p.Spec.Containers {
			containers = append(containers, corev1.Container{Name: c.Name, Ports: c.Ports})
		}
		for _, c := range p.Spec.InitContainers {
			init = append(init, corev1.Container{Name: c.Name, Ports: c.Ports})
		}
		p.ManagedFields, p.Annotations = nil, nil
		p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork, Containers: containers, InitContainers: init}
		p.Status = corev1.PodStatus{Phase: p.Status.Phase, PodIP: p.Status.PodIP}
	}
	return o, nil
}

// jumps are the hooks. They must come first: kube-proxy's KUBE-FORWARD accepts whatever it has marked for masquerading.
var jumps = [][2]string{{"FORWARD", hookForward}, {"INPUT", hookInput}}

func hooked() bool {
	for _, j := range jumps {
		out, err := exec.Command("iptables", "-w", "5", "-S", j[0], "1").Output()
		if err != nil || strings.TrimSpace(string(out)) != "-A "+j[0]+" -j "+j[1] {
			return false
		}
	}
	return true
}

// apply writes the rules, drops the chains of pods that went, and sees to the hooks.
func apply(rules string) error {
	out, err := exec.Command("iptables", "-w", "5", "-S").Output()
	if err != nil {
		return fmt.Errorf("iptables -S: %w", err)
	}
	var declare, drop strings.Builder
	for _, line := range strings.Split(string(out), "\n") {
		c, ok := strings.CutPrefix(line, "-N "+podPrefix)
		if ok && !strings.Contains(rules, ":"+podPrefix+c+" ") {
			fmt.Fprintf(&declare, ":%s%s - [0:0]\n", podPrefix, c)
			fmt.Fprintf(&drop, "-X %s%s\n", podPrefix, c)
		}
	}
	rules = strings.Replace(rules, "*filter\n", "*filter\n"+declare.String(), 1)
	rules = strings.TrimSuffix(rules, "COMMIT\n") + drop.String() + "COMMIT\n"
	restore := exec.Command("iptables-restore", "-w", "5", "--noflush")
	restore.Stdin = strings.NewReader(rules)
	if out, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %v: %s", err, strings.TrimSpace(string(out)))
	}
	if hooked() {
		return nil
	}
	for _, j := range jumps {
		_ = exec.Command("iptables", "-w", "5", "-D", j[0], "-j", j[1]).Run()
		if out, err := exec.Command("iptables", "-w", "5", "-I", j[0], "1", "-j", j[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables: %v: %s", err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
