package alarm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/processtest"
)

func Example() {
	n := process.NewNode(process.NodeSpec{Probe: &processtest.Recorder{}}) // no reports in the output
	ctx := n.Context()
	if _, err := alarm.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Join(
		alarm.Set(ctx, alarm.Alarm{ID: "disk /var", Text: "95 % full"}),
		alarm.Set(ctx, alarm.Alarm{ID: "certificate", Text: "expires in 3 days"}),
		alarm.Clear(ctx, "disk /var"),
	))
	fmt.Println(alarm.List(ctx))
	fmt.Println(n.Stop(context.Background()))
	// Output:
	// <nil>
	// [{certificate expires in 3 days <nil>}] <nil>
	// <nil>
}
