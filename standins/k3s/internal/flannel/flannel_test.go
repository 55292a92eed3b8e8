package flannel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestTheNetworkConfigurationIsWrittenOnceAndValid(t *testing.T) {
	c := Controller{Conflist: filepath.Join(t.TempDir(), "net.d", "10-flannel.conflist")}
	if err := c.writeConflist("10.42.3.0/24", 1450); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.Conflist)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Name    string
		Plugins []struct {
			Type   string
			MTU    int
			IPMasq bool
			IPAM   struct {
				Ranges [][]struct{ Subnet string }
			}
		}
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	bridge := list.Plugins[0]
	if bridge.Type != "bridge" || bridge.MTU != 1450 || bridge.IPMasq || bridge.IPAM.Ranges[0][0].Subnet != "10.42.3.0/24" {
		t.Fatalf("%+v", bridge)
	}
	before, err := os.Stat(c.Conflist)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.writeConflist("10.42.3.0/24", 1450); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(c.Conflist); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Fatal("the same content must not be written again: containerd would reload its network")
	}
}
