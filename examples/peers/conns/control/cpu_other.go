//go:build !unix

package control

import "errors"

func processorTime() (float64, error) {
	return 0, errors.New("connections are measured where there is getrusage")
}
