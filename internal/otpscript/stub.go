package otpscript

import "github.com/coppice-go/coppice/process"

func (p *player) applied(e process.Event)    {}
func (p *player) loadApps()                  {}
func (p *player) performApp(i int, st *Step) {}
