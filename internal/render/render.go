// Package render shows values of users' programs in reports and traces: short,
// without secrets, and without ever making things worse.
package render

import (
	"crypto"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
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

// privateKey is what all private keys of the standard library have in common.
type privateKey interface{ Public() crypto.PublicKey }

// ownWords returns what the value says about itself, if it can say anything.
func ownWords(v any, depth int) (text string, ok bool) {
	switch v := v.(type) {
	case slog.LogValuer:
		return safely(func() string { return slogText(slog.AnyValue(v).Resolve(), depth) }), true
	case time.Time:
		return v.Round(0).String(), true // without the monotonic reading
	case privateKey:
		return "[private key]", true
	case error:
		return strconv.Quote(Error(v)), true
	case interface{ String() string }:
		return safely(v.String), true
	}
	return "", false
}

// guarded reports whether values of a type speak for themselves because their
// fields are not for showing.
func guarded(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[slog.LogValuer]()) || t.Implements(reflect.TypeFor[privateKey]())
}

// slogText shows what a LogValuer gave. It may have given another, even itself
// in other clothes, so depth counts here too.
func slogText(v slog.Value, depth int) string {
	if depth > maxDepth {
		return "…"
	}
	switch v.Kind() {
	case slog.KindGroup:
		var b strings.Builder
		b.WriteString("{")
		for i, a := range v.Group() {
			if i > 0 {
				b.WriteString(" ")
			}
			text := redacted
			if !secret(a.Key) {
				text = slogText(a.Value.Resolve(), depth+1)
			}
			b.WriteString(a.Key + ":" + text)
		}
		b.WriteString("}")
		return b.String()
	case slog.KindAny:
		if err, ok := v.Any().(error); ok && isResolveFault(err) {
			return panicked
		}
		var r renderer
		r.value(reflect.ValueOf(v.Any()), depth+1)
		return string(r.buf)
	default:
		return v.String()
	}
}

// isResolveFault recognises the error that slog puts in place of a value whose
// LogValue method panicked: it recovers by itself.
func isResolveFault(err error) bool { return strings.HasPrefix(Error(err), "LogValue panicked") }

// Words in the names of fields that are not for showing. To show such a field
// all the same, give its type a LogValue method.
var secrets = []string{"password", "passwd", "passphrase", "secret", "token", "cookie", "credential", "privatekey", "apikey"}

func secret(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
	for _, s := range secrets {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

func nilable(k reflect.Kind) bool {
	switch k {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	}
	return false
}
