package identity

import (
	"bytes"
	"encoding/pem"
	"strings"
)

// A block is one PEM block of a file, or what is left of one.
type block struct {
	kind    string // CERTIFICATE, PRIVATE KEY; "" if broken
	line    int    // of its BEGIN, from 1
	der     []byte
	headers map[string]string
	broken  string // what is wrong with it; "" if nothing is
}

// scan finds the PEM blocks of a file. encoding/pem passes over what it cannot
// read; here each BEGIN and each END is accounted for, so that a file that was
// cut short, or damaged in its middle, is told from one that holds less.
func scan(data []byte) []block {
	var blocks []block
	open := -1 // where the block that has begun starts; -1: none has
	openLine, line := 0, 0
	for at := 0; at < len(data); {
		end := at + lineLength(data[at:])
		text := strings.TrimSpace(string(firstBytes(data[at:end], 100)))
		line++
		switch {
		case strings.HasPrefix(text, "-----BEGIN "):
			if open >= 0 {
				blocks = append(blocks, block{line: openLine, broken: "has no END line: the next block begins before it"})
			}
			open, openLine = at, line
		case strings.HasPrefix(text, "-----END ") && open < 0:
			blocks = append(blocks, block{line: line, broken: "has an END line, and no BEGIN line before it"})
		case strings.HasPrefix(text, "-----END "):
			blocks = append(blocks, decode(data[open:end], openLine))
			open = -1
		}
		at = end
	}
	if open >= 0 {
		blocks = append(blocks, block{line: openLine, broken: "has no END line: the file is cut short"})
	}
	return blocks
}

// decode reads what lies between a BEGIN and an END, both included.
func decode(data []byte, line int) block {
	b, rest := pem.Decode(data)
	switch {
	case b != nil && len(bytes.TrimSpace(rest)) == 0:
		return block{kind: b.Type, line: line, der: b.Bytes, headers: b.Headers}
	case len(data) > 0 && (data[0] == ' ' || data[0] == '\t'):
		return block{line: line, broken: "is indented: its lines must begin at the margin"}
	}
	return block{line: line, broken: "is damaged: BEGIN and END do not agree, or what is between them is not base64"}
}

// lineLength is the length of the first line, with its end.
func lineLength(data []byte) int {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1
	}
	return len(data)
}

func firstBytes(data []byte, n int) []byte { return data[:min(n, len(data))] }

// isKey reports whether a block is a private key of some form.
func (b *block) isKey() bool {
	return strings.HasSuffix(b.kind, "PRIVATE KEY")
}

// isParameter reports whether a block goes along with a key or a certificate,
// and says nothing of its own: openssl writes such ones.
func (b *block) isParameter() bool {
	return b.kind == "EC PARAMETERS" || b.kind == "DH PARAMETERS"
}
