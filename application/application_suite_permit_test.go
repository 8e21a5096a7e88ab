package application

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// OTP says in the configuration of each node that nothing is permitted. Here
// each node is told so after the load.
func suitePermitFalseStartLocal(k *kit) {
	app1, app2, app3, notLoaded := chSup("app1"), chSup("app2"), chSup("app3"), chSup("app_notloaded")
	var nodes []*kit
	for range 3 {
		n := &kit{T: k.T}
		n.node = process.NewNode(process.NodeSpec{Probe: n})
		n.ctx = n.node.Context()
		defer func() { k.ok(n.node.Stop(context.Background())) }()
		nodes = append(nodes, n)
		for _, app := range []*App{app1, app2, app3} {
			k.ok(Load(n.ctx, app))
			k.ok(Permit(n.ctx, app, false))
		}
		k.ok(Start(n.ctx, app1, Permanent))
		k.ok(Start(n.ctx, app2, Permanent))
	}
	step := func(why string, permit error, one, two string) {
		k.Helper()
		if permit != nil {
			k.Errorf("%s: %v", why, permit)
		}
		nodes[0].wantRunning(one)
		nodes[1].wantRunning(two)
		nodes[2].wantRunning("")
	}
	n1, n2 := nodes[0].ctx, nodes[1].ctx
	step("nothing is permitted", nil, "", "")
	step("permit one that is not started", Permit(n1, app3, true), "", "")
	k.is(Permit(n1, notLoaded, true), ErrNotLoaded, "permit app_notloaded")
	step("forbid one that is not started", Permit(n1, app3, false), "", "")
	k.is(Permit(n1, notLoaded, false), ErrNotLoaded, "permit app_notloaded")
	step("permit", Permit(n1, app1, true), "app1", "")
	step("permit again", Permit(n1, app1, true), "app1", "")
	step("permit another", Permit(n1, app2, true), "app2 app1", "")
	step("permit elsewhere", Permit(n2, app1, true), "app2 app1", "app1")
	step("forbid", Permit(n1, app1, false), "app2", "app1")
	step("forbid again", Permit(n1, app1, false), "app2", "app1")
	step("permit once more", Permit(n1, app1, true), "app1 app2", "app1")
	step("forbid once more", Permit(n1, app1, false), "app2", "app1")
	step("forbid elsewhere", Permit(n2, app1, false), "app2", "")
	step("forbid the other", Permit(n1, app2, false), "", "")
}
