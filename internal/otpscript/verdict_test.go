package otpscript

import "testing"

// What gen_server takes from a callback, and what it calls a bad return value.
func TestRawVerdict(t *testing.T) {
	for _, c := range []struct {
		kind Atom
		raw  string
		want verdict
	}{
		{kindCall, `{"t":["reply","r","s"]}`, verdict{reply: Atom("r"), state: Atom("s")}},
		{kindCall, `{"t":["stop","why","r","s"]}`, verdict{stops: true, why: Atom("why"), reply: Atom("r"), state: Atom("s")}},
		{kindCast, `{"t":["noreply","s","hibernate"]}`, verdict{state: Atom("s")}},
		{kindCast, `{"t":["noreply","s",{"t":["continue","c"]}]}`, verdict{state: Atom("s"), extra: Effects{Continue: Lit{Atom("c")}}}},
		{kindCast, `{"t":["stop","why","s"]}`, verdict{stops: true, why: Atom("why"), state: Atom("s")}},
		{kindCast, `{"t":["reply","r","s"]}`, verdict{stops: true, why: tuple(Atom("bad_return_value"), tuple(Atom("reply"), Atom("r"), Atom("s")))}},
		{kindInfo, `"garbage"`, verdict{stops: true, why: tuple(Atom("bad_return_value"), Atom("garbage"))}},
	} {
		raw, err := ParseTerm([]byte(c.raw))
		if err != nil {
			t.Fatal(err)
		}
		got := rawVerdict(raw, c.kind)
		same := got.stops == c.want.stops && equalOrNil(got.why, c.want.why) && equalOrNil(got.reply, c.want.reply) &&
			equalOrNil(got.state, c.want.state) && equalOrNil(got.extra.Continue.Term, c.want.extra.Continue.Term)
		if !same {
			t.Errorf("%s from a %s callback: %+v, want %+v", c.raw, c.kind, got, c.want)
		}
	}
	timed := rawVerdict(tuple(Atom("noreply"), Atom("s"), Int(20)), kindCast)
	if timed.extra.Timeout == nil || *timed.extra.Timeout != 20 {
		t.Errorf("{noreply,s,20}: %+v, want a timeout of 20 ms", timed)
	}
}

func equalOrNil(a, b Term) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return Equal(a, b)
}
