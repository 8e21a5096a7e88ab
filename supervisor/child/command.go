package child

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"

	"github.com/coppice-go/coppice/process"
)

// Command makes a supervisor.Child's Start of a program, which newCmd describes.
// A program that cannot be run is a failed start; one that ends, ends the child:
// normally if its exit status is zero, else with an error that wraps the
// *exec.ExitError.
//
// When the child is told to stop, the program gets SIGTERM; when the child's
// Shutdown is over, it is killed. Where there is no SIGTERM it is killed at once.
// Programs that it has started itself are its own business.
func Command(newCmd func() *exec.Cmd) func(context.Context) (process.PID, error) {
	pc := process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		cmd := newCmd()
		if err := cmd.Start(); err != nil {
			return process.PID{}, err
		}
		pid, err := process.GoSpec(ctx, process.Spec{Kind: "command", Caller: pc}, func(ctx context.Context) error { return await(ctx, cmd) })
		if err != nil {
			kill(cmd)
			// How it ended does not matter: it was never a child.
			_ = cmd.Wait()
		}
		return pid, err
	}
}

// await waits for the program to end, and sees to it that it does.
func await(ctx context.Context, cmd *exec.Cmd) error {
	asked := context.AfterFunc(ctx, func() {
		if cmd.Process.Signal(syscall.SIGTERM) != nil {
			kill(cmd)
		}
	})
	forced := context.AfterFunc(process.Uninterrupted(ctx), func() { kill(cmd) })
	err := cmd.Wait()
	forced()
	if !asked() {
		return ctx.Err() // it was told to stop: however it ended, it has obeyed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return nil
}

// kill ends the program. If that fails, it has ended already.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
