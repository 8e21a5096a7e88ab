package otpscript

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTermForms(t *testing.T) {
	for _, c := range []struct {
		json string
		want Term
	}{
		{`"boom"`, Atom("boom")},
		{`-7`, Int(-7)},
		{`[]`, List{}},
		{`[1,"a"]`, List{Int(1), Atom("a")}},
		{`{"s":"hé\n"}`, List{Int('h'), Int('é'), Int('\n')}},
		{`{"t":["shutdown",{"p":"top/a#2"}]}`, tuple(shutdown, Pid("top/a#2"))},
		{`{"b":"<&>"}`, Binary("<&>")},
		{`{"m":[["a",1],["b",{"r":"m1"}]]}`, Map{{Atom("a"), Int(1)}, {Atom("b"), Ref("m1")}}},
	} {
		got, err := ParseTerm([]byte(c.json))
		if err != nil || !Equal(got, c.want) {
			t.Errorf("ParseTerm(%s) = %v, %v; want %v", c.json, got, err, c.want)
			continue
		}
		if back := string(MarshalTerm(got)); back != c.json {
			t.Errorf("MarshalTerm(ParseTerm(%s)) = %s, want the same text", c.json, back)
		}
	}
}

// What has several forms in a scenario has one in a log.
func TestTermHasOneFormInLogs(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{`true`, `"true"`},
		{`[104,105]`, `{"s":"hi"}`},
		{`{"s":""}`, `[]`},
		{`{"m":[["b",1],["a",2],["b",3]]}`, `{"m":[["a",2],["b",3]]}`},
	} {
		term, err := ParseTerm([]byte(c.in))
		if err != nil {
			t.Fatalf("ParseTerm(%s): %v", c.in, err)
		}
		if got := string(MarshalTerm(term)); got != c.out {
			t.Errorf("%s is written as %s, want %s", c.in, got, c.out)
		}
	}
}

func TestTermRefuses(t *testing.T) {
	for _, in := range []string{``, `null`, `1.5`, `9223372036854775808`, `{}`, `{"t":1}`, `{"m":[["k"]]}`,
		`{"x":"y"}`, `{"t":[],"b":""}`, `[null]`, `{"m":[["k",null]]}`, `1 2`, `{"p":["a"]}`} {
		if got, err := ParseTerm([]byte(in)); err == nil {
			t.Errorf("ParseTerm(%s) = %v, want an error", in, got)
		}
	}
}

// Erlang's order: number < atom < reference < pid < tuple < map < list < binary.
func TestCompareIsErlangsOrder(t *testing.T) {
	sorted := []Term{
		Int(-1), Int(2), Atom("a"), Atom("b"), Ref("r"), Pid("p"),
		Tuple{}, tuple(Int(9)), tuple(Int(1), Int(2)),
		Map{}, Map{{Int(1), Int(9)}}, Map{{Int(2), Int(0)}}, Map{{Int(2), Int(1)}},
		List{}, List{Int(1), Int(5)}, List{Int(2)}, Binary(""), Binary("x"),
	}
	for i, a := range sorted {
		for j, b := range sorted {
			want := min(1, max(-1, i-j))
			if got := Compare(a, b); got != want {
				t.Errorf("Compare(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
	shuffled := slices.Clone(sorted)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, Compare)
	if slices.CompareFunc(shuffled, sorted, Compare) != 0 {
		t.Errorf("sorting gives %v, want %v", shuffled, sorted)
	}
}

// Whatever can be read can be written, and reads as the same term again.
func FuzzParseTerm(f *testing.F) {
	for _, seed := range []string{`"a"`, `[1,[2]]`, `{"t":[{"b":""},{"m":[[1,{"s":"x"}]]}]}`, `{"p":"top#1"}`, `"\u2028"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		term, err := ParseTerm(data)
		if err != nil {
			return
		}
		text := MarshalTerm(term)
		again, err := ParseTerm(text)
		if err != nil || !Equal(again, term) {
			t.Errorf("%q was written as %s, which reads as %v, %v", data, text, again, err)
		}
	})
}
