package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
)

// A finding says what a file or a block holds in place of what it should, and
// what can be done about it.
type finding struct {
	check Check
	what  string
	cure  string
}

// sniff says what a file without a PEM block holds. It quotes nothing of it.
func sniff(data []byte, path string) finding {
	in, out := quote(path), quote(path+".pem")
	convert := func(command string) string { return "convert it, and name the result: " + command }
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return finding{Empty, "is empty", "write the PEM text into it, or correct the path"}
	case len(bytes.Trim(data, "\x00")) == 0:
		return finding{Damaged, "holds nothing but zero bytes, as after a crash of the machine", "write it anew"}
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return finding{NotPEM, "is text in UTF-16", convert(fmt.Sprintf("iconv -f UTF-16 -t ASCII %s > %s", in, out))}
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return finding{NotPEM, "is a Java keystore", convert(fmt.Sprintf("keytool -importkeystore -srckeystore %s -destkeystore %s.p12 -deststoretype PKCS12, then openssl pkcs12 -nodes -in %s.p12 -out %s", in, in, in, out))}
	case data[0] == 0x30:
		if f, ok := sniffDER(data, in, out); ok {
			return f
		}
	case bytes.HasPrefix(trimmed, []byte("ssh-")), bytes.HasPrefix(trimmed, []byte("ecdsa-sha2-")):
		return finding{NotPEM, "is a public key of SSH", "name a PEM file"}
	case bytes.HasPrefix(trimmed, []byte("<")):
		return finding{NotPEM, "is HTML or XML: an error page, perhaps, saved in place of the file", "fetch it again"}
	case bytes.Contains(data, []byte(`\n`)) && bytes.Contains(data, []byte("-----BEGIN ")):
		return finding{NotPEM, `has the two characters \n in place of its line breaks`, convert(fmt.Sprintf(`printf '%%b' "$(cat %s)" > %s`, in, out))}
	case bytes.Contains(data, []byte("BEGIN ")), bytes.Contains(data, []byte("END ")):
		return finding{Damaged, "has no line that begins with -----BEGIN, though it looks like PEM", "write it anew; each line must stand by itself"}
	}
	return finding{NotPEM, "is not PEM", "name a text file with the line -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE KEY-----"}
}

// sniffDER says what a file in ASN.1 holds.
func sniffDER(data []byte, in, out string) (finding, bool) {
	convert := func(format string) string {
		return "convert it, and name the result: " + fmt.Sprintf(format, in, out)
	}
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(data, &outer); err != nil || len(rest) > 0 {
		return finding{}, false
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return finding{NotPEM, "is DER, not PEM: a certificate", convert("openssl x509 -inform DER -in %s -out %s")}, true
	}
	if _, err := parseKey(data); err == nil {
		return finding{NotPEM, "is DER, not PEM: a private key", convert("openssl pkey -inform DER -in %s -out %s")}, true
	}
	var p12 struct {
		Version int
		Content asn1.RawValue
		Rest    asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(data, &p12); err == nil && p12.Version == 3 {
		return finding{NotPEM, "is a PKCS #12 file (.p12, .pfx)", convert("openssl pkcs12 -nodes -in %s -out %s") + "; it then holds certificate and key, and may be named for both"}, true
	}
	return finding{NotPEM, "is DER, not PEM", "convert it with openssl, according to what it is, and name the result"}, true
}

// wrongKind says what a sound PEM block holds that is not wanted where it
// stands.
func wrongKind(kind, path string) finding {
	in, out := quote(path), quote(path+".pem")
	convert := func(command string) string {
		return "convert it, and name the result: " + fmt.Sprintf(command, in, out)
	}
	switch kind {
	case "CERTIFICATE":
		return finding{WrongContent, "a certificate", "name the file with the private key"}
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return finding{WrongContent, "a request for a certificate", "send it to an authority, and name the certificate that comes back"}
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return finding{WrongContent, "a public key", "name the file with the private key, or the certificate"}
	case "OPENSSH PRIVATE KEY":
		return finding{WrongContent, "a key in the form of OpenSSH",
			fmt.Sprintf(`convert a copy, and name that: cp %s %s && ssh-keygen -p -N "" -m PKCS8 -f %s`, in, out, out)}
	case "DSA PRIVATE KEY":
		return finding{UnsupportedKey, "a DSA key", "make a key of another kind: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"}
	case "PKCS7", "CMS":
		return finding{WrongContent, "certificates in PKCS #7", convert("openssl pkcs7 -print_certs -in %s -out %s")}
	case "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		return finding{WrongContent, "a certificate in a form of openssl's own", convert("openssl x509 -in %s -out %s")}
	case "X509 CRL":
		return finding{WrongContent, "a list of revoked certificates, which would not be heeded", "take it out"}
	}
	if strings.HasSuffix(kind, "PRIVATE KEY") {
		return finding{WrongContent, "a private key", "name the file with the certificate"}
	}
	return finding{WrongContent, "PEM of another kind", "take it out, or correct the path"}
}

// quote makes a path one word of a shell's command.
func quote(path string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("/._-+=@%,:", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if path != "" && strings.TrimFunc(path, plain) == "" && !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
