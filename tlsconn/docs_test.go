package tlsconn_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// tables reads the tables of docs/tls.md, by the heading that they stand below.
func tables(t *testing.T) map[string][][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][][]string)
	heading := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if text, is := strings.CutPrefix(line, "## "); is {
			heading = text
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all[heading] = append(all[heading], cells)
	}
	return all
}

// body is a table without its head, and without a foot of sums.
func body(table [][]string) (rows [][]string, sums []string) {
	if len(table) == 0 {
		return nil, nil
	}
	rows = table[1:]
	if last := rows[len(rows)-1]; strings.HasPrefix(last[0], "**") {
		return rows[:len(rows)-1], last
	}
	return rows, nil
}

// base is the row that a variant is of.
func base(name string) string { name, _, _ = strings.Cut(name, ", "); return name }

// The page has the rows of the test, in its order, with what the test wants.
func TestDocs(t *testing.T) {
	all := tables(t)
	for heading, rows := range map[string][]fileRow{"Files": fileRows, "New files while it runs": reloadRows} {
		got, _ := body(all[heading])
		wantTable(t, heading, got, fileTable(rows), 2)
	}
	got, _ := body(all["Connections"])
	wantTable(t, "Connections", got, runtimeTable(), 4)
	got, _ = body(all["Classes"])
	var classes [][]string
	for _, c := range tlsconn.Classes() {
		classes = append(classes, []string{code(c), "", tlsconn.BlameOf(c).String(), level(c.Level())})
	}
	for _, row := range got {
		if row[1] == "" || row[4] == "" {
			t.Errorf("class %s: say what it is and what to do", row[0])
		}
		row[1] = ""
	}
	wantTable(t, "Classes", got, classes, 4)
}

// wantTable compares the first cells of each row.
func wantTable(t *testing.T, heading string, got, want [][]string, cells int) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", heading, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if !slices.Equal(got[i][:cells], want[i]) {
			t.Errorf("%s: the page has\n\t%q\nthe test has\n\t%q", heading, got[i][:cells], want[i])
		}
	}
}

func code(v any) string { return fmt.Sprintf("`%v`", v) }

func level(l process.Level) string {
	return [...]string{process.LevelQuiet: "quiet", process.LevelDebug: "debug", process.LevelInfo: "info",
		process.LevelWarn: "warn", process.LevelError: "error"}[l]
}

// fileTable joins variants to one row, with all the checks of them.
func fileTable(rows []fileRow) (table [][]string) {
	for _, row := range rows {
		if n := len(table) - 1; n >= 0 && base(row.name) == table[n][0] {
			if c := code(row.check); !strings.Contains(table[n][1], c) {
				table[n][1] += ", " + c
			}
			continue
		}
		table = append(table, []string{row.name, code(row.check)})
	}
	return table
}

// runtimeTable leaves variants out.
func runtimeTable() (table [][]string) {
	for _, row := range append(slices.Clone(runtimeRows), slowloris) {
		if base(row.name) == row.name {
			table = append(table, []string{row.name, code(row.class), level(row.level), cmp.Or(row.alert, "none")})
		}
	}
	return table
}

// The sums below the tables are those of the tables.
func TestDocsSums(t *testing.T) {
	all := tables(t)
	wantSums(t, all["Files"], func(col int, row []string) bool { return col == 1 || strings.HasPrefix(row[col], "refused") })
	wantSums(t, all["Connections"], func(col int, row []string) bool { return strings.Contains(row[col], "silent") })
}

func wantSums(t *testing.T, table [][]string, counts func(int, []string) bool) {
	t.Helper()
	rows, sums := body(table)
	for col := 1; col < len(sums); col++ {
		if sums[col] == "" {
			continue
		}
		n := 0
		for _, row := range rows {
			if counts(col, row) {
				n++
			}
		}
		if want := fmt.Sprintf("**%d**", n); sums[col] != want {
			t.Errorf("%s, %s: the page says %s, the table %s", sums[0], table[0][col], sums[col], want)
		}
	}
}

// What can be waived is on the page.
func TestDocsWaivable(t *testing.T) {
	page, err := os.ReadFile("../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range identity.Waivable() {
		names = append(names, code(c))
	}
	flat := strings.Join(strings.Fields(string(page)), " ")
	if want := "What can be waived is " + strings.Join(names, ", ") + "."; !strings.Contains(flat, want) {
		t.Errorf("the page does not say: %s", want)
	}
}
