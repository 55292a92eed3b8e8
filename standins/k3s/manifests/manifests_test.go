package manifests

import (
	"strings"
	"testing"

	"groundwork/standins/k3s/internal/deploy"
)

func TestEveryPackagedManifestRendersAndParses(t *testing.T) {
	for name, file := range Packaged {
		for _, forward := range []bool{true, false} {
			b, err := Render(file, Values{ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local", StoragePath: "/storage", Forward: forward})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), "<<") {
				t.Errorf("%s keeps a placeholder", name)
			}
			objects, err := deploy.Parse(b)
			if err != nil || len(objects) == 0 {
				t.Fatalf("%s: %d objects, %v", name, len(objects), err)
			}
			if name == "coredns" && strings.Contains(string(b), "forward .") != forward {
				t.Errorf("forwarding must be there only where the machine has a resolver")
			}
		}
	}
}

func TestThePackagedPodsAreLockedDown(t *testing.T) {
	for name, file := range Packaged {
		b, err := Render(file, Values{ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local", StoragePath: "/storage"})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "kind: Deployment") {
			continue
		}
		for _, want := range []string{"runAsNonRoot: true", "allowPrivilegeEscalation: false", "readOnlyRootFilesystem: true", "drop: [ALL]", "type: RuntimeDefault", "limits:", "priorityClassName: system-"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
}
