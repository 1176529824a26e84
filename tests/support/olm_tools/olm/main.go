// Command olm judges an OLM bundle and a catalog, with the libraries of operator-sdk and opm.
//
//   - olm bundle DIRECTORY prints each error and each warning of all validators of bundles, one in a line.
//   - olm catalog TEMPLATE renders a basic template whose bundles are directories in place of images, checks the catalog
//     with its upgrade graph, and prints it in JSON.
package main

import (
	"context"
	"fmt"
	"os"
	"text/template"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	"github.com/operator-framework/api/pkg/validation/errors"
	interfaces "github.com/operator-framework/api/pkg/validation/interfaces"
	"github.com/operator-framework/operator-registry/alpha/action"
	"github.com/operator-framework/operator-registry/alpha/declcfg"
	"github.com/operator-framework/operator-registry/alpha/template/basic"
)

func main() {
	var err error
	switch os.Args[1] {
	case "bundle":
		err = bundle(os.Args[2])
	case "catalog":
		err = catalog(os.Args[2])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bundle prints what the validators find that operator-sdk bundle validate runs, the optional ones too.
func bundle(directory string) error {
	read, err := manifests.GetBundleFromDir(directory)
	if err != nil {
		return err
	}
	validators := interfaces.Validators{
		validation.BundleValidator,
		validation.ClusterServiceVersionValidator,
		validation.CustomResourceDefinitionValidator,
		validation.OperatorHubV2Validator,
		validation.StandardCapabilitiesValidator,
		validation.StandardCategoriesValidator,
		validation.ObjectValidator,
		validation.GoodPracticesValidator,
		validation.AlphaDeprecatedAPIsValidator,
	}
	objects := []interface{}{read, read.CSV}
	for _, definition := range read.V1CRDs {
		objects = append(objects, definition)
	}
	for _, object := range read.Objects {
		objects = append(objects, object)
	}
	for _, result := range validators.Validate(objects...) {
		for _, found := range append(append([]errors.Error{}, result.Errors...), result.Warnings...) {
			fmt.Println(found.Error())
		}
	}
	return nil
}

func catalog(file string) error {
	reader, err := os.Open(file)
	if err != nil {
		return err
	}
	image := template.Must(template.New("image").Parse("{{.Package}}-bundle:{{.Version}}"))
	render := func(ctx context.Context, directory string) (*declcfg.DeclarativeConfig, error) {
		directories := action.Render{
			Refs:             []string{directory},
			AllowedRefMask:   action.RefBundleDir,
			ImageRefTemplate: image,
		}
		return directories.Run(ctx)
	}
	rendered, err := (&basic.Factory{}).CreateTemplate(render).Render(context.Background(), reader)
	if err != nil {
		return err
	}
	if _, err := declcfg.ConvertToModel(*rendered); err != nil {
		return err
	}
	return declcfg.WriteJSON(*rendered, os.Stdout)
}
