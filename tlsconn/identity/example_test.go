package identity_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coppice-go/coppice/tlsconn/identity"
)

// folder makes a folder with a self-signed pair, valid for 90 days.
func folder() (dir string, f identity.Files) {
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		log.Fatal(err)
	}
	f = identity.Files{
		Cert:  filepath.Join(dir, "server.crt"),
		Key:   filepath.Join(dir, "server.key"),
		Names: []string{"localhost"},
	}
	if _, err := identity.EnsureSelfSigned(f, 90*24*time.Hour, day(0)); err != nil {
		log.Fatal(err)
	}
	return dir, f
}

// day is a day of the year of these examples.
func day(n int) time.Time { return time.Date(2030, 1, 1+n, 12, 0, 0, 0, time.UTC) }

// What is good is loaded, and shows nothing of its key.
func Example() {
	dir, files := folder()
	defer os.RemoveAll(dir)

	pair, err := identity.Load(files, day(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pair.Subject(), "until", pair.NotAfter().Format(time.DateOnly))
	fmt.Println(pair.TLS().PrivateKey)

	left, soon := identity.Expiring(pair, day(70))
	fmt.Println(left, soon)
	// Output:
	// CN=localhost until 2030-04-01
	// [private key]
	// 480h0m0s true
}

// Every flaw is told at once, with its file and its cure.
func ExampleLoad() {
	dir, files := folder()
	defer os.RemoveAll(dir)

	files.Names = []string{"mqtt.example.org"}
	files.ClientCA = filepath.Join(dir, "clients.pem")
	_, err := identity.Load(files, day(365))
	fmt.Println(strings.ReplaceAll(err.Error(), dir+"/", ""))
	// Output:
	// identity: the TLS files cannot be used:
	// ClientCA clients.pem: does not exist [missing]: put it there, or correct the path
	// Cert server.crt: certificate 1 (line 1, "localhost") expired on 2030-04-01 12:00:00 UTC (275 days ago) [expired]: renew it; or waive "expired"
	// Cert server.crt: certificate 1 (line 1, "localhost") is not for "mqtt.example.org", but for ["localhost"] [names]: have one issued for all names that are served, or correct Names; or waive "names"
}

// One judgement is waived by its name; the others are made.
func ExampleFiles_waive() {
	dir, files := folder()
	defer os.RemoveAll(dir)

	files.Waive = []identity.Check{identity.Expired}
	_, err := identity.Load(files, day(365))
	fmt.Println(err)

	files.Waive = []identity.Check{identity.Mismatch}
	_, err = identity.Load(files, day(1))
	fmt.Println(errors.Is(err, identity.Flaw{Check: identity.BadWaive}))
	// Output:
	// <nil>
	// true
}

// A pair that is replaced by garbage is served on, and somebody is told.
func ExampleRotation() {
	dir, files := folder()
	defer os.RemoveAll(dir)

	rotation := identity.Rotation{Files: files}
	now := day(1)
	look := func() identity.Change {
		change, err := rotation.Look(now)
		fmt.Printf("serves %s, fresh: %v, fit: %v, look again in %v\n", change.Pair.Subject(), change.Fresh, err == nil, change.Next.Sub(now))
		for _, alarm := range change.Alarms {
			fmt.Printf("alarm %s, set: %v\n", alarm.Kind, alarm.Set)
		}
		return change
	}
	now = look().Next
	if err := os.WriteFile(files.Cert, []byte("garbage"), 0o600); err != nil {
		log.Fatal(err)
	}
	for range 5 {
		now = look().Next
	}
	// Output:
	// serves CN=localhost, fresh: true, fit: true, look again in 10s
	// serves CN=localhost, fresh: false, fit: false, look again in 250ms
	// serves CN=localhost, fresh: false, fit: false, look again in 500ms
	// serves CN=localhost, fresh: false, fit: false, look again in 1s
	// serves CN=localhost, fresh: false, fit: false, look again in 250ms
	// serves CN=localhost, fresh: false, fit: false, look again in 4s
	// alarm cannot_reload, set: true
}

// A program's first start makes a pair; later ones find it.
func ExampleEnsureSelfSigned() {
	dir, files := folder()
	defer os.RemoveAll(dir)

	made, err := identity.EnsureSelfSigned(files, 90*24*time.Hour, day(1))
	fmt.Println(made, err)
	// Output:
	// false <nil>
}
