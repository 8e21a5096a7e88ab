package render

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

type add struct{ By int }

type login struct {
	User     string
	Password string
	PIN      int    `trace:"redact"`
	Hint     string `trace:"-"`
	apiKey   string
}

// card says only its last digits.
type card struct{ number string }

func (c card) LogValue() slog.Value { return slog.StringValue("…" + c.number[len(c.number)-4:]) }

type broken struct{}

func (broken) String() string { panic("no words") }

type brokenErr struct{}

func (brokenErr) Error() string { panic("no words") }

type brokenLog struct{}

func (brokenLog) LogValue() slog.Value { panic("no words") }

// mirror shows itself in itself.
type mirror struct{}

func (m mirror) LogValue() slog.Value { return slog.AnyValue(struct{ Me mirror }{m}) }

type grouped struct{}

func (grouped) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", "ann"), slog.String("session_token", "hunter2"), slog.Any("card", card{"4111222233334444"}))
}

type envelope struct{ msg any }

func (e *envelope) Message() any { return e.msg }

type node struct {
	Val  int
	Next *node
}

func TestValue(t *testing.T) {
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	loop := &node{Val: 1}
	loop.Next = loop
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"nothing", nil, "nil"},
		{"number", 42, "42"},
		{"text", "a\nb", `"a\nb"`},
		{"struct", add{2}, "render.add{By:2}"},
		{"pointer", &add{2}, "&render.add{By:2}"},
		{"nil pointer", (*add)(nil), "nil"},
		{"nil pointer whose method would fail", (*card)(nil), "nil"},
		{"slice", []int{1, 2, 3}, "[1 2 3]"},
		{"long slice", make([]int, 11), "[0 0 0 0 0 0 0 0 +3]"},
		{"bytes", []byte("abc"), "[3 bytes]"},
		{"map", map[string]int{"a": 1}, "map[string]int(1)"},
		{"duration", time.Second, "1s"},
		{"time", time.Unix(0, 0).UTC(), "1970-01-01 00:00:00 +0000 UTC"},
		{"error", errors.New("gone"), `"gone"`},
		{"nested", struct {
			A struct{ B struct{ C struct{ D int } } }
		}{}, "{A:{B:{C:{…}}}}"},
		{"loop", loop, "&render.node{Val:1 Next:&render.node}"},
		{"envelope", &envelope{add{2}}, "render.add{By:2}"},
		{"interface", struct{ V any }{add{1}}, "{V:render.add{By:1}}"},
		{"func", func() {}, "func()"},

		{"secrets", login{User: "ann", Password: "hunter2", PIN: 1234, Hint: "dog", apiKey: "hunter2"},
			`render.login{User:"ann" Password:!REDACTED PIN:!REDACTED apiKey:!REDACTED}`},
		{"LogValuer", card{"4111222233334444"}, "…4444"},
		{"LogValuer inside", struct{ Card card }{card{"4111222233334444"}}, "{Card:…4444}"},
		{"LogValuer that cannot be asked", struct{ card card }{card{"hunter2"}}, "{card:render.card{…}}"},
		{"key that cannot be asked", struct{ k *ecdsa.PrivateKey }{ecKey}, "{k:*ecdsa.PrivateKey{…}}"},
		{"group", grouped{}, "{user:ann session_token:!REDACTED card:…4444}"},
		{"mirror", mirror{}, "{Me:{…}}"},
		{"ed25519 key", edKey, "[private key]"},
		{"ecdsa key", struct{ K *ecdsa.PrivateKey }{ecKey}, "{K:[private key]}"},
		{"certificate", tls.Certificate{PrivateKey: ecKey}, "tls.Certificate{Certificate:nil PrivateKey:!REDACTED SupportedSignatureAlgorithms:nil OCSPStaple:nil SignedCertificateTimestamps:nil Leaf:nil}"},

		{"String panics", broken{}, "!PANIC"},
		{"Error panics", brokenErr{}, `"!PANIC"`},
		{"LogValue panics", brokenLog{}, "!PANIC"},
		{"String panics inside", []any{1, broken{}}, "[1 !PANIC]"},
	}
	for _, tt := range tests {
		got := Value(tt.value)
		if got != tt.want {
			t.Errorf("%s: Value gives %s, want %s", tt.name, got, tt.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: Value shows a secret: %s", tt.name, got)
		}
	}
}

// Whatever the value, its text is short and valid.
func TestValueIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		n := rapid.IntRange(0, 100).Draw(t, "n")
		got := Value(struct {
			A []string
			B string
			C *node
		}{B: strings.Repeat(text, n), A: make([]string, n), C: &node{}})
		if len(got) > maxText || !utf8.ValidString(got) {
			t.Fatalf("Value gives %d bytes, valid %v: %q", len(got), utf8.ValidString(got), got)
		}
	})
}

func TestClip(t *testing.T) {
	for in, want := range map[string]string{"": "", "abcdef": "abcdef", "abcdefg": "abc…", "ab€€€": "ab…"} {
		if got := Clip(in, 6); got != want {
			t.Errorf("Clip(%q) = %q, want %q", in, got, want)
		}
	}
}
