// Command trivy-config runs Trivy's checks of Kubernetes objects over a folder of YAML files, offline: the checks are the ones
// that are embedded in Trivy's own modules. It prints what failed as JSON. Exit code 0 says that it ran, findings or not.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes"
)

// version is that of the Trivy module, set by the linker.
var version = "0.0.0"

type finding struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	// File is the path below the folder.
	File string `json:"file"`
}

type report struct {
	Version string `json:"version"`
	// Passed is the number of checks that passed, over all objects: none would say that no check was run.
	Passed   int       `json:"passed"`
	Findings []finding `json:"findings"`
}

func scan(folder string) (report, error) {
	scanner := kubernetes.NewScanner(
		rego.WithEmbeddedPolicies(true),
		rego.WithEmbeddedLibraries(true),
		rego.WithTrivyVersion(version),
	)
	results, err := scanner.ScanFS(context.Background(), os.DirFS(folder), ".")
	if err != nil {
		return report{}, err
	}
	found := report{Version: version, Passed: len(results.GetPassed()), Findings: []finding{}}
	for _, result := range results.GetFailed() {
		rule := result.Rule()
		found.Findings = append(found.Findings, finding{
			ID:       rule.AVDID,
			Title:    rule.Summary,
			Severity: string(result.Severity()),
			Message:  result.Description(),
			File:     result.Range().GetFilename(),
		})
	}
	sort.Slice(found.Findings, func(i, j int) bool {
		a, b := found.Findings[i], found.Findings[j]
		return a.File+"\x00"+a.ID+"\x00"+a.Message < b.File+"\x00"+b.ID+"\x00"+b.Message
	})
	return found, nil
}

func main() {
	if len(os.Args) != 2 || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "usage: trivy-config FOLDER | --version")
		os.Exit(2)
	}
	if os.Args[1] == "--version" {
		fmt.Println(version)
		return
	}
	found, err := scan(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
