package jsonrpc

import (
	"context"
	"fmt"
	"slices"
)

// Table maps method names to methods. It does not change once made.
type Table struct {
	entries map[string]route
	names   []string // every name, sorted
}

// route is what one name leads to: a method or the end of a subscription.
type route struct {
	method      *Method
	unsubscribe bool
}

// NewTable makes a table of the given methods plus rpc_methods, which lists
// every name. A name that is empty or given twice, or a method whose
// parameter names do not match its parameters, is an error.
func NewTable(methods ...*Method) (*Table, error) {
	t := &Table{entries: map[string]route{}}
	list := Fn0("rpc_methods", func(context.Context) (methodList, error) { return methodList{t.names}, nil })
	for _, m := range append(slices.Clone(methods), list) {
		if m.named != nil && len(m.named) != m.arity {
			return nil, fmt.Errorf("method %s names %d of its %d parameters", m.name, len(m.named), m.arity)
		}
		for _, name := range append([]string{m.name}, m.aliases...) {
			if err := t.add(name, route{method: m}); err != nil {
				return nil, err
			}
		}
		if m.sub == nil {
			if len(m.unsubscribeAliases) > 0 {
				return nil, fmt.Errorf("method %s is no subscription but has unsubscribe names", m.name)
			}
			continue
		}
		if m.notification == "" {
			return nil, fmt.Errorf("subscription %s has no notification name", m.name)
		}
		for _, name := range append([]string{m.unsubscribe}, m.unsubscribeAliases...) {
			if err := t.add(name, route{method: m, unsubscribe: true}); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(t.names)
	return t, nil
}

func (t *Table) add(name string, r route) error {
	if name == "" {
		return fmt.Errorf("method %q has an empty name", r.method.name)
	}
	if _, ok := t.entries[name]; ok {
		return fmt.Errorf("method name %s is given twice", name)
	}
	t.entries[name] = r
	t.names = append(t.names, name)
	return nil
}

// Names returns every name the table answers to, sorted.
func (t *Table) Names() []string { return slices.Clone(t.names) }

type methodList struct {
	Methods []string `json:"methods"`
}
