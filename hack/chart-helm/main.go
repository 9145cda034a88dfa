// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Command chart-helm is the part of Helm that the checks of the chart need: it renders and lints
// with Helm's own packages. Building all of Helm takes twice as long, and nothing here talks to a
// cluster. It is a separate module, so that Usher itself does not depend on Helm.
//
//	chart-helm template    prints the manifests, as helm template does
//	chart-helm lint        fails wherever helm lint --strict fails
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

var errUsage = errors.New("usage: chart-helm template|lint [-namespace name] [-values file] chart")

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer, args []string) error {
	flags := flag.NewFlagSet("chart-helm", flag.ContinueOnError)
	file := flags.String("values", "", "`file` with values; default: only those of the chart")
	namespace := flags.String("namespace", "default", "`namespace` of the release")
	if len(args) == 0 {
		return errUsage
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errUsage
	}
	values := common.Values{}
	if *file != "" {
		var err error
		if values, err = common.ReadValuesFile(*file); err != nil {
			return err
		}
	}
	switch args[0] {
	case "template":
		return template(out, flags.Arg(0), values, *namespace)
	case "lint":
		return check(out, flags.Arg(0), values, *namespace)
	default:
		return errUsage
	}
}

// template writes the manifests that a first installation would apply, in the order of the file
// names. It also renders NOTES.txt, but does not print it.
func template(out io.Writer, dir string, values map[string]any, namespace string) error {
	chart, err := loader.Load(dir)
	if err != nil {
		return err
	}
	release := common.ReleaseOptions{Name: "usher", Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return err
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if text := strings.TrimSpace(rendered[name]); text != "" && strings.HasSuffix(name, ".yaml") {
			if _, err := fmt.Fprintf(out, "---\n# Source: %s\n%s\n", name, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func check(out io.Writer, dir string, values map[string]any, namespace string) error {
	found := lint.RunAll(dir, values, namespace)
	for _, message := range found.Messages {
		if _, err := fmt.Fprintln(out, message.Error()); err != nil {
			return err
		}
	}
	if found.HighestSeverity >= support.WarningSev {
		return fmt.Errorf("%s does not pass helm lint --strict", dir)
	}
	return nil
}
