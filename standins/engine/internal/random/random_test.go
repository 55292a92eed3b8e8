package random

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"groundwork.dev/standins/engine/internal/provider"
)

type props = map[string]any

const password = "random:index/randomPassword:RandomPassword"

func tester() *provider.Tester { return provider.NewTester(Definition("4.21.2")) }

func create(t *testing.T, token string, in props) *provider.State {
	t.Helper()
	s, err := tester().Create(token, provider.PropsOf(in), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPasswordHoldsWhatWasAskedFor(t *testing.T) {
	for range 10 {
		s := create(t, password, props{"length": 16, "minNumeric": 4, "minUpper": 3, "minSpecial": 2, "overrideSpecial": "_", "lower": false})
		got := s.Text("result")
		count := func(chars string) int {
			n := 0
			for _, r := range got {
				if strings.ContainsRune(chars, r) {
					n++
				}
			}
			return n
		}
		if len(got) != 16 || count(digits) < 4 || count(upper) < 3 || count("_") < 2 || count(lower) > 0 {
			t.Fatalf("%q", got)
		}
		if count(digits)+count(upper)+count("_") != 16 {
			t.Fatalf("%q holds other characters", got)
		}
	}
}

func TestPasswordIsSecretAndItsHashFits(t *testing.T) {
	s := create(t, password, props{"length": 20})
	if !s.Props["result"].IsSecret() || !s.Props["bcryptHash"].IsSecret() || s.ID != "none" {
		t.Fatal("the password must be secret and not be the id")
	}
	if err := bcrypt.CompareHashAndPassword([]byte(s.Text("bcryptHash")), []byte(s.Text("result"))); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultsAreNoChange(t *testing.T) {
	p := tester()
	s := create(t, password, props{"length": 20})
	d, err := p.Diff(s, provider.PropsOf(props{"length": 20, "special": true, "minLower": 0}))
	if err != nil || len(d.GetDiffs()) != 0 {
		t.Fatalf("%v %v", d, err)
	}
	d, err = p.Diff(s, provider.PropsOf(props{"length": 20, "special": false}))
	if err != nil || strings.Join(d.GetReplaces(), " ") != "special" {
		t.Fatalf("%v %v", d, err)
	}
}

func TestPreviewShowsNoValue(t *testing.T) {
	s, err := tester().Create(password, provider.PropsOf(props{"length": 20}), true)
	if err != nil || !provider.Unknown(s.Props["result"]) {
		t.Fatalf("%v %v", s, err)
	}
}

func TestEncodingsOfAnIDAgree(t *testing.T) {
	s := create(t, "random:index/randomId:RandomId", props{"byteLength": 5, "prefix": "p"})
	b, err := base64.RawURLEncoding.DecodeString(s.ID)
	if err != nil || s.Text("hex") != "p"+hex.EncodeToString(b) || s.Text("b64Url") != "p"+s.ID || s.Text("b64Std") != "p"+base64.StdEncoding.EncodeToString(b) {
		t.Fatalf("%v %v", s, err)
	}
}

func TestSeedsRepeat(t *testing.T) {
	in := props{"min": 0, "max": 1000000, "seed": "same"}
	a, b := create(t, "random:index/randomInteger:RandomInteger", in), create(t, "random:index/randomInteger:RandomInteger", in)
	if a.ID != b.ID {
		t.Fatalf("%s %s", a.ID, b.ID)
	}
}

func TestShuffleGoesRound(t *testing.T) {
	s := create(t, "random:index/randomShuffle:RandomShuffle", props{"inputs": []any{"a", "b"}, "resultCount": 5})
	got := provider.Plain(s.Props["results"]).([]any)
	if len(got) != 5 || got[0] == got[1] || got[2] == got[3] {
		t.Fatalf("%v", got)
	}
}

func TestUUIDVersions(t *testing.T) {
	for token, version := range map[string]byte{"random:index/randomUuid:RandomUuid": '4', "random:index/randomUuid7:RandomUuid7": '7'} {
		if s := create(t, token, props{}); len(s.ID) != 36 || s.ID[14] != version || !strings.ContainsRune("89ab", rune(s.ID[19])) {
			t.Errorf("%s: %s", token, s.ID)
		}
	}
}
