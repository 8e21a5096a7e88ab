package identity

import (
	"slices"
	"strings"
)

// A Check is one judgement of the files, by the name under which it can be
// waived in [Files].Waive.
type Check string

// What no waiver helps against: without these there is nothing to serve, or no
// telling what was meant.
const (
	Missing        Check = "missing"         // no file is named, or it does not exist
	Unreadable     Check = "unreadable"      // the file may not be read, or reading it fails
	NotAFile       Check = "not_a_file"      // a folder, a device, a pipe; or too long to be meant
	Empty          Check = "empty"           // nothing in it
	NotPEM         Check = "not_pem"         // something, but not PEM: DER, a keystore, a web page
	Damaged        Check = "damaged"         // PEM that was cut short, or whose content is broken
	WrongContent   Check = "wrong_content"   // sound PEM of something else, such as a key for a certificate
	Encrypted      Check = "encrypted"       // a key behind a password
	SeveralKeys    Check = "several_keys"    // which of them is meant?
	UnsupportedKey Check = "unsupported_key" // TLS has no use for such a key
	Mismatch       Check = "mismatch"        // the key is not the certificate's
	BadField       Check = "bad_field"       // a field of Files that does not go with another
	BadName        Check = "bad_name"        // a declared name that no certificate can have
	BadWaive       Check = "bad_waive"       // a waiver that waives nothing
	Rehearsal      Check = "rehearsal"       // a handshake with it did not come about
)

// What can be waived, each by its name.
const (
	Expired         Check = "expired"          // a certificate is past its time
	NotYetValid     Check = "not_yet_valid"    // a certificate is before its time
	KeyUsage        Check = "key_usage"        // a certificate is not for this use
	WrongNames      Check = "names"            // the leaf has no names, or lacks one of those declared
	ChainOrder      Check = "chain_order"      // the leaf is not first, or its issuers are not in order
	IncompleteChain Check = "incomplete_chain" // the chain does not lead to a root
	Constraints     Check = "constraints"      // an authority in the chain forbids what it certifies
	WeakSignature   Check = "weak_signature"   // SHA-1 or MD5, which clients refuse
	WeakKey         Check = "weak_key"         // RSA below 2048 bits
	NotACA          Check = "not_a_ca"         // a certificate stands for an authority and is none
)

var waivable = []Check{
	ChainOrder, Constraints, Expired, IncompleteChain, KeyUsage, WrongNames,
	NotACA, NotYetValid, WeakKey, WeakSignature,
}

// Waivable lists the checks that can be waived, sorted.
func Waivable() []Check {
	all := slices.Clone(waivable)
	slices.Sort(all)
	return all
}

// waiveFaults finds waivers that cannot have been meant.
func (j *judge) waiveFaults() {
	var names []string
	for _, c := range Waivable() {
		names = append(names, string(c))
	}
	cure := "what can be waived is " + strings.Join(names, ", ")
	for i, c := range j.files.Waive {
		switch {
		case slices.Contains(j.files.Waive[:i], c):
			j.fault(BadWaive, source{field: "Waive"}, "name it once", "%q is waived twice", c)
		case slices.Contains(waivable, c):
		case slices.Contains(fatal, c):
			j.fault(BadWaive, source{field: "Waive"}, cure, "%q cannot be waived: without it there is nothing to serve", c)
		default:
			j.fault(BadWaive, source{field: "Waive"}, cure, "there is no check %q", c)
		}
	}
}

var fatal = []Check{
	Missing, Unreadable, NotAFile, Empty, NotPEM, Damaged, WrongContent, Encrypted,
	SeveralKeys, UnsupportedKey, Mismatch, BadField, BadName, BadWaive, Rehearsal,
}
