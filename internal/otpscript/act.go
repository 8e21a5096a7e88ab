package otpscript

// An Act is one thing that is done from outside to the processes of a scenario
// that are not a tree. Op says what; actNeeds says which other fields belong to
// it.
type Act struct {
	Op string `json:"op"`
	To string `json:"to"` // a process, or else a registered name; "": p
	As string `json:"as"` // an agent, or else the name of a fresh client; "": client

	Msg     Lit    `json:"msg"`
	Timeout Lit    `json:"timeout"` // ms or infinity, which is the default
	Reason  Lit    `json:"reason"`
	MS      int    `json:"ms"`
	Ops     []Act  `json:"ops"`
	Who     string `json:"who"`
	Name    string `json:"name"`
	Label   string `json:"label"`
	Coll    string `json:"coll"`
	How     string `json:"how"`    // of response: receive, wait
	Keep    *bool  `json:"delete"` // of response; false: the request stays in its collection

	Handler Lit          `json:"handler"`
	Arg     Lit          `json:"arg"`
	New     Lit          `json:"new"`
	Spec    *HandlerSpec `json:"spec"`
	Sup     bool         `json:"sup"`

	Scope string   `json:"scope"`
	Group Lit      `json:"group"`
	Proc  ProcRef  `json:"proc"`
	Procs []string `json:"procs"`

	Flag  Lit `json:"flag"`
	Set   Lit `json:"set"`
	Crash Lit `json:"crash"`
}

func (a *Act) to() string { return or(a.To, "p") }
func (a *Act) as() string { return or(a.As, "client") }

func or(given, absent string) string {
	if given == "" {
		return absent
	}
	return given
}

// A ProcRef is a process to be started, or the name of one that is there.
type ProcRef struct {
	Name string
	Proc *Proc
}

func (r *ProcRef) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return strict(data, &r.Name)
	}
	return strict(data, &r.Proc)
}

// names lists whom a step of process groups is about.
func (a *Act) names() []string {
	if a.Procs != nil {
		return a.Procs
	}
	return []string{a.Proc.Name}
}

// actNeeds is opNeeds for acts.
var actNeeds = map[string]string{
	"cast": "msg", "info": "msg", "call": "msg", "stop": "", "signal": "reason", "parent_exit": "reason", "wait": "ms", "batch": "ops",
	"start": "proc", "exit": "who reason", "link": "", "unlink": "", "monitor": "label", "whereis": "name", "mailbox": "",
	"send_request": "msg label", "response": "timeout",
	"add": "handler", "delete": "handler arg", "swap": "handler arg new", "notify": "msg", "sync_notify": "msg",
	"event_call": "handler msg", "which_handlers": "",
	"join": "scope group proc", "leave": "scope group proc", "members": "scope group", "local_members": "scope group",
	"groups": "scope", "local_groups": "scope", "pg_monitor": "scope label", "pg_demonitor": "scope label",
	"suspend": "", "resume": "", "terminate": "reason", "get_state": "", "replace_state": "", "get_status": "",
	"statistics": "flag", "log": "flag",
}
