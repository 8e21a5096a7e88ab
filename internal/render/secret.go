package render

import (
	"crypto"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
)

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
