//go:build !linux

package readiness

import (
	"errors"
	"syscall"
	"time"
)

// Supported says whether there are Pollers here.
const Supported = false

// A Poller is not to be had here.
type Poller struct{}

// New says so.
func New() (*Poller, error) { return nil, errors.ErrUnsupported }

func (p *Poller) Arm(syscall.RawConn, Waker) (Mark, error) { return 0, ErrClosed }
func (p *Poller) Disarm(Mark, Waker)                       {}
func (p *Poller) Armed() int                               { return 0 }
func (p *Poller) Wait() error                              { return ErrClosed }
func (p *Poller) SetDeadline(time.Time) error              { return ErrClosed }
func (p *Poller) Close() error                             { return nil }
