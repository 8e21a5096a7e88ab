// Package render shows values of users' programs in reports and traces: short,
// without secrets, and without ever making things worse.
package render

import (
	"reflect"
	"strconv"
	"unicode/utf8"
)

const (
	maxText  = 256 // bytes shown of one value
	maxDepth = 3   // structs and slices shown inside each other
	maxItems = 8   // elements shown of one slice

	redacted = "!REDACTED"
	panicked = "!PANIC"
)

// Value shows a message, a state or any other value of a user's, in at most 256
// bytes. It runs where the program is already in trouble, so it promises a lot:
//
//   - It does not panic. A method of the value that does yields !PANIC.
//   - It does not read what may be written meanwhile, as far as one can tell
//     from outside: maps are shown by their length (ranging over one while it
//     is written ends the whole program, and cannot be recovered from), and
//     pointers are followed at the top only.
//   - It hides secrets. What a slog.LogValuer says of itself counts; then the
//     field tags trace:"-" and trace:"redact"; then names that sound secret.
//     Of bytes only the number is shown, and of private keys nothing.
//
// An envelope, which has a method Message() any, is shown as what it carries.
// Value must be called by the goroutine that owns v.
func Value(v any) string {
	if e, ok := v.(interface{ Message() any }); ok {
		v = e.Message()
	}
	r := renderer{buf: make([]byte, 0, 64)}
	r.value(reflect.ValueOf(v), 0)
	return Clip(string(r.buf), maxText)
}

// Error returns an error's text, or !PANIC.
func Error(err error) string { return safely(err.Error) }

// safely asks a value about itself.
func safely(ask func() string) (text string) {
	defer func() {
		if recover() != nil {
			text = panicked
		}
	}()
	return ask()
}

// Clip cuts a text to max bytes, between runes, and shows that it did.
func Clip(s string, max int) string {
	const mark = "…"
	if len(s) <= max {
		return s
	}
	n := max - len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}

type renderer struct{ buf []byte }

// full says that whatever follows would be cut off anyway.
func (r *renderer) full() bool { return len(r.buf) > maxText }

func (r *renderer) text(s string) { r.buf = append(r.buf, s...) }

// value shows v, which stands depth structs deep.
func (r *renderer) value(v reflect.Value, depth int) {
	if r.full() {
		return
	}
	if !v.IsValid() || nilable(v.Kind()) && v.IsNil() {
		r.text("nil")
		return
	}
	if v.CanInterface() {
		if text, ok := ownWords(v.Interface(), depth); ok {
			r.text(text)
			return
		}
	} else if guarded(v.Type()) {
		r.text(v.Type().String() + "{…}") // Go does not let us ask an unexported field
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		r.buf = strconv.AppendBool(r.buf, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		r.buf = strconv.AppendInt(r.buf, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		r.buf = strconv.AppendUint(r.buf, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		r.buf = strconv.AppendFloat(r.buf, v.Float(), 'g', -1, v.Type().Bits())
	case reflect.Complex64, reflect.Complex128:
		r.text(strconv.FormatComplex(v.Complex(), 'g', -1, v.Type().Bits()))
	case reflect.String:
		r.buf = strconv.AppendQuote(r.buf, Clip(v.String(), maxText))
	case reflect.Slice, reflect.Array:
		r.list(v, depth)
	case reflect.Struct:
		r.fields(v, depth)
	case reflect.Map:
		r.text(v.Type().String() + "(" + strconv.Itoa(v.Len()) + ")")
	case reflect.Interface:
		r.value(v.Elem(), depth)
	case reflect.Pointer:
		r.text("&")
		if depth > 0 {
			r.text(v.Type().Elem().String())
			return
		}
		r.value(v.Elem(), depth+1)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		r.text(v.Type().String())
	default:
		r.text(v.Kind().String())
	}
}

func (r *renderer) list(v reflect.Value, depth int) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		r.text("[" + strconv.Itoa(v.Len()) + " bytes]")
		return
	}
	if depth >= maxDepth {
		r.text("[…]")
		return
	}
	r.text("[")
	for i := range min(v.Len(), maxItems) {
		if i > 0 {
			r.text(" ")
		}
		r.value(v.Index(i), depth+1)
	}
	if more := v.Len() - maxItems; more > 0 {
		r.text(" +" + strconv.Itoa(more))
	}
	r.text("]")
}

func (r *renderer) fields(v reflect.Value, depth int) {
	t := v.Type()
	if t.Name() != "" {
		r.text(t.String())
	}
	if depth >= maxDepth {
		r.text("{…}")
		return
	}
	r.text("{")
	first := true
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("trace")
		if tag == "-" || f.Name == "_" {
			continue
		}
		if !first {
			r.text(" ")
		}
		first = false
		r.text(f.Name + ":")
		if tag == "redact" || secret(f.Name) {
			r.text(redacted)
		} else {
			r.value(v.Field(i), depth+1)
		}
	}
	r.text("}")
}

func nilable(k reflect.Kind) bool {
	switch k {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	}
	return false
}
