//go:build race

package process_test

// raced says that the race detector is on. It drops what is pooled at random.
const raced = true
