package application

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// A Setting is one value of an application's environment. The only
// implementation is [*Var].
type Setting interface {
	// Key is the name under which files and Change know the setting.
	Key() string

	initial() any
	secret() bool
	checkDefault() error
	fromJSON(json.RawMessage) (any, error)
	fromText(string) (any, error)
}

// A Var is a setting of type T. It is listed in the Env of its App and read
// with Get by that application's processes:
//
//	var Port = &application.Var[int]{Name: "port", Default: 1883}
//
// The same Var may be listed by several Apps; each has its own value.
type Var[T any] struct {
	Name    string
	Doc     string        // one line about it
	Default T             // what holds where nobody says otherwise
	Check   func(T) error // refuses bad values; nil: all are good
	Secret  bool          // its value is never shown
}

// Key returns the setting's name.
func (v *Var[T]) Key() string { return v.Name }

// Get returns the value that the application of ctx has, the default if it was
// unset. It panics with ErrNoApp if ctx belongs to no application.
func (v *Var[T]) Get(ctx context.Context) T {
	value, set := v.Lookup(ctx)
	if !set {
		return v.Default
	}
	return value
}

// Lookup returns the value that the application of ctx has, and whether it has
// one. It panics with ErrNoApp if ctx belongs to no application.
func (v *Var[T]) Lookup(ctx context.Context) (T, bool) {
	var none T
	app, env, err := environmentOf(ctx, v)
	if err != nil {
		panic(err)
	}
	value, set := env.get(app, v.Name)
	if !set {
		return none, false
	}
	t, ok := value.(T)
	if !ok && value != nil { // a nil any is a fine value of an interface type
		panic(fmt.Sprintf("application: setting %q of %s is a %T, and this Var's type is %T: two Vars have one name", v.Name, app, value, none))
	}
	return t, true
}

// Set gives the setting a value in the application of ctx. The value is lost
// when the application is unloaded, and also when it is loaded if the setting
// is one of its Env. Nobody is told; see [Reconfigure].
func (v *Var[T]) Set(ctx context.Context, value T) error { return v.set(ctx, value, false) }

// Keep is Set, and the value survives loading and unloading.
func (v *Var[T]) Keep(ctx context.Context, value T) error { return v.set(ctx, value, true) }

func (v *Var[T]) set(ctx context.Context, value T, keep bool) error {
	app, env, err := environmentOf(ctx, v)
	if err != nil {
		return err
	}
	if v.Check != nil {
		if err := v.Check(value); err != nil {
			return fmt.Errorf("application: %s: setting %q: %w", app, v.Name, err)
		}
	}
	env.set(app, v.Name, value, keep)
	return nil
}

// Unset takes the value away; Get then returns the default.
func (v *Var[T]) Unset(ctx context.Context) error {
	app, env, err := environmentOf(ctx, v)
	if err != nil {
		return err
	}
	env.unset(app, v.Name)
	return nil
}

func (v *Var[T]) initial() any { return v.Default }
func (v *Var[T]) secret() bool { return v.Secret }

func (v *Var[T]) checkDefault() error {
	if v.Check == nil {
		return nil
	}
	return v.Check(v.Default)
}

// fromJSON reads the value from a file. Durations are written as Go writes
// them ("5s"), and a struct's unknown fields are refused: they are typos.
func (v *Var[T]) fromJSON(raw json.RawMessage) (any, error) {
	var t T
	if d, ok := any(&t).(*time.Duration); ok {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, errors.New(`want a duration in quotes, like "5s"`)
		}
		parsed, err := time.ParseDuration(text)
		if err != nil {
			return nil, err
		}
		*d = parsed
		return v.checked(t)
	}
	if string(raw) == "null" && !takesNull[T]() {
		return nil, errors.New("null is no value; leave the setting out for its default")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return nil, err
	}
	return v.checked(t)
}

// takesNull reports whether null means something to a T. To decode it into
// any other would make that zero in silence.
func takesNull[T any]() bool {
	if _, own := any(new(T)).(json.Unmarshaler); own {
		return true
	}
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return false
}

// fromText reads the value from an environment variable: strings, durations
// and whatever unmarshals text as they are, all else as JSON.
func (v *Var[T]) fromText(text string) (any, error) {
	var t T
	switch p := any(&t).(type) {
	case *string:
		*p = text
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, err
		}
		*p = d
	case encoding.TextUnmarshaler:
		if err := p.UnmarshalText([]byte(text)); err != nil {
			return nil, err
		}
	default:
		return v.fromJSON(json.RawMessage(text))
	}
	return v.checked(t)
}

func (v *Var[T]) checked(t T) (any, error) {
	if v.Check != nil {
		if err := v.Check(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}
