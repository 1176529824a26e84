// Command status judges objects as GitOps tools do, with the libraries that these tools use.
//
// It reads one request in JSON from standard input, and writes one answer in JSON:
//
//   - kstatus: the status that sigs.k8s.io/cli-utils computes. That of Flux's fork must be the same.
//   - lua: the health that a health check of Argo CD returns. Argo CD runs it with gopher-lua, and so does this.
//   - cel: the status that the healthCheckExprs of a Flux Kustomization return, by Flux's own evaluator.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	flux "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type request struct {
	Object *unstructured.Unstructured        `json:"object"`
	Lua    string                            `json:"lua,omitempty"`
	CEL    *kustomize.HealthCheckExpressions `json:"cel,omitempty"`
}

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fail(err)
	}
	given, err := judge(asked)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(given); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func judge(asked request) (answer, error) {
	switch {
	case asked.Lua != "":
		return health(asked.Lua, asked.Object.Object)
	case asked.CEL != nil:
		evaluator, err := cel.NewStatusEvaluator(asked.CEL)
		if err != nil {
			return answer{}, err
		}
		result, err := evaluator.Evaluate(context.Background(), asked.Object)
		if err != nil {
			return answer{}, err
		}
		return answer{string(result.Status), result.Message}, nil
	default:
		result, err := status.Compute(asked.Object)
		if err != nil {
			return answer{}, err
		}
		forked, err := flux.Compute(asked.Object)
		if err != nil {
			return answer{}, err
		}
		if string(forked.Status) != string(result.Status) {
			return answer{}, fmt.Errorf("kstatus says %s, and Flux's fork of it %s", result.Status, forked.Status)
		}
		return answer{string(result.Status), result.Message}, nil
	}
}

// health runs a health check with the libraries that Argo CD opens for it by default: base, table, string, math and
// package, without os and io.
func health(script string, object map[string]any) (answer, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName:   lua.OpenPackage,
		lua.BaseLibName:   lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
		lua.MathLibName:   lua.OpenMath,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return answer{}, err
		}
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return answer{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return answer{}, fmt.Errorf("the health check returned %s, not a table", state.Get(-1).Type())
	}
	return answer{lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))}, nil
}

// value converts a value of JSON as Argo CD does: lists count from 1.
func value(state *lua.LState, from any) lua.LValue {
	switch typed := from.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		table := state.NewTable()
		for _, item := range typed {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range typed {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
