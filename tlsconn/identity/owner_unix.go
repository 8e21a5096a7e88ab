//go:build unix

package identity

import (
	"fmt"
	"io/fs"
	"syscall"
)

// owner says whose a file is.
func owner(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf(", of user %d and group %d", st.Uid, st.Gid)
	}
	return ""
}
