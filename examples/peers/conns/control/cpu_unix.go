//go:build unix

package control

import "syscall"

// processorTime is what this process has used, in µs.
func processorTime() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1000, nil
}
