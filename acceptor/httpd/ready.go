package httpd

import (
	"fmt"
	"net/http"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// Ready answers the readiness checks of load balancers for listeners: 200 while
// all of them are ready, else 503 with the reason of each that is not (see
// [acceptor.Ready]). It may be asked on any listener of the same node, itself
// among them.
func Ready(listeners ...process.Target) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := process.WithCallTimeout(r.Context(), readyTimeout)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		text := ""
		for _, l := range listeners {
			if err := acceptor.Ready(ctx, l); err != nil {
				text += err.Error() + "\n"
			}
		}
		if text == "" {
			text = "ready\n"
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// Who does not hear it has gone.
		_, _ = fmt.Fprint(w, text)
	})
}

// readyTimeout is how long a listener may take to say that it is ready.
const readyTimeout = time.Second
