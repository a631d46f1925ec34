// Expands an ApplicationSet as its controller does, as far as ours goes: a git files generator, Go templates.
//
//	expand APPLICATIONSET ROOT    prints the Applications that the files under ROOT make
//
// The functions are those that the controller has of sprig's; each text of the template is a template of its own.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

type applicationSet struct {
	Kind string `json:"kind"`
	Spec struct {
		GoTemplate        bool     `json:"goTemplate"`
		GoTemplateOptions []string `json:"goTemplateOptions"`
		Generators        []struct {
			Git *struct {
				RepoURL             string `json:"repoURL"`
				Revision            string `json:"revision"`
				RequeueAfterSeconds int    `json:"requeueAfterSeconds"`
				Files               []struct {
					Path string `json:"path"`
				} `json:"files"`
			} `json:"git"`
		} `json:"generators"`
		SyncPolicy map[string]any `json:"syncPolicy"`
		Template   map[string]any `json:"template"`
	} `json:"spec"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: expand APPLICATIONSET ROOT")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var set applicationSet
	// Strict, so that nothing of the ApplicationSet is passed over that this program does not know.
	err = yaml.UnmarshalStrict(text, &struct {
		APIVersion string         `json:"apiVersion"`
		Metadata   map[string]any `json:"metadata"`
		*applicationSet
	}{applicationSet: &set})
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if set.Kind != "ApplicationSet" || !set.Spec.GoTemplate {
		return fmt.Errorf("%s is no ApplicationSet with goTemplate", args[0])
	}
	named := map[string]string{}
	for _, generator := range set.Spec.Generators {
		if generator.Git == nil {
			return fmt.Errorf("%s: only the git files generator can be expanded here", args[0])
		}
		for _, files := range generator.Git.Files {
			found, err := find(args[1], files.Path)
			if err != nil {
				return err
			}
			for _, file := range found {
				application, err := expand(set, args[1], file)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				// The controller would take the first, and say nothing but in a condition.
				name := fmt.Sprint(application["metadata"].(map[string]any)["name"])
				if other, ok := named[name]; ok {
					return fmt.Errorf("%s and %s both make the Application %s", other, file, name)
				}
				named[name] = file
				told, err := yaml.Marshal(application)
				if err != nil {
					return err
				}
				fmt.Printf("---\n%s", told)
			}
		}
	}
	return nil
}

// find returns the files under root that fit, in the controller's order. `*` stands for `/` too, as it does unless
// argocd-cmd-params-cm says otherwise: what either way would take is looked at.
func find(root, pattern string) ([]string, error) {
	fits, err := regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
	if err != nil {
		return nil, err
	}
	var found []string
	folder, _, _ := strings.Cut(pattern, "*")
	err = filepath.WalkDir(filepath.Join(root, path.Dir(folder)), func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		if err == nil && !entry.IsDir() && fits.MatchString(relative) {
			found = append(found, file)
		}
		return err
	})
	return found, err
}

func expand(set applicationSet, root, file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	given := map[string]any{}
	if err := yaml.Unmarshal(text, &given); err != nil {
		return nil, err
	}
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return nil, err
	}
	folder := path.Dir(relative)
	given["path"] = map[string]any{
		"path": folder, "basename": path.Base(folder), "filename": path.Base(relative), "segments": strings.Split(folder, "/"),
	}
	functions := sprig.GenericFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	filled, err := fill(set.Spec.Template, func(text string) (string, error) {
		parsed, err := template.New("").Funcs(functions).Option(set.Spec.GoTemplateOptions...).Parse(text)
		if err != nil {
			return "", err
		}
		var told bytes.Buffer
		err = parsed.Execute(&told, given)
		return told.String(), err
	})
	if err != nil {
		return nil, err
	}
	application := filled.(map[string]any)
	application["apiVersion"], application["kind"] = "argoproj.io/v1alpha1", "Application"
	// The controller adds it, unless what an Application made is to be kept.
	if preserve, _ := set.Spec.SyncPolicy["preserveResourcesOnDeletion"].(bool); !preserve {
		application["metadata"].(map[string]any)["finalizers"] = []string{"resources-finalizer.argocd.argoproj.io"}
	}
	return application, nil
}

// fill passes each text in value, names of fields too, through by.
func fill(value any, by func(string) (string, error)) (any, error) {
	switch value := value.(type) {
	case string:
		return by(value)
	case []any:
		all := make([]any, len(value))
		for i, one := range value {
			filled, err := fill(one, by)
			if err != nil {
				return nil, err
			}
			all[i] = filled
		}
		return all, nil
	case map[string]any:
		all := map[string]any{}
		for name, one := range value {
			name, err := by(name)
			if err != nil {
				return nil, err
			}
			if all[name], err = fill(one, by); err != nil {
				return nil, err
			}
		}
		return all, nil
	default:
		return value, nil
	}
}
