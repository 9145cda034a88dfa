// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatrixReadsBack(t *testing.T) {
	for _, content := range []string{"otpauth://x/y", "a", "", "14 bytes: ééé!"[:14], "0123456789", "UPPER"} {
		matrix, err := Matrix(content)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, matrix); got != content {
			t.Errorf("a camera reads %q, want %q", got, content)
		}
	}
}

func TestMatrixGrowsWithItsContent(t *testing.T) {
	link := URL(someSecret(t), "Acme Rocket Works", "jane.doe@example.com")
	matrix, err := Matrix(link)
	if err != nil {
		t.Fatal(err)
	}
	// On level M, 153 to 180 bytes need version 9 of the code.
	if len(link) < 153 || len(link) > 180 || len(matrix) != 53 {
		t.Errorf("%d bytes need a square of %d modules, want 53", len(link), len(matrix))
	}
	// Without a quiet zone, three corners start at the edge.
	for _, corner := range [][2]int{{0, 0}, {0, len(matrix) - 7}, {len(matrix) - 7, 0}} {
		for i := range 7 {
			for j := range 7 {
				ring := max(i-3, 3-i, j-3, 3-j)
				if got := matrix[corner[0]+i][corner[1]+j]; got != (ring != 2) {
					t.Errorf("corner %v, module %d, %d: dark is %t", corner, i, j, got)
				}
			}
		}
	}
}

func TestATextThatIsTooLongIsRefusedWithoutQuotingIt(t *testing.T) {
	if _, err := Matrix(strings.Repeat("x", 2331)); err != nil {
		t.Errorf("the longest: %v", err)
	}
	secret := someSecret(t)
	_, err := Matrix(URL(secret, strings.Repeat("Acme", 600), "jane"))
	if !errors.Is(err, ErrTooLong) || strings.Contains(err.Error(), secret) {
		t.Errorf("Matrix = %v, want ErrTooLong", err)
	}
}

func TestSVGPathDrawsTheMatrix(t *testing.T) {
	code, err := Matrix("otpauth://totp/Acme:jane-doe")
	if err != nil {
		t.Fatal(err)
	}
	for name, matrix := range map[string][][]bool{
		"a QR code":               code,
		"nothing":                 {},
		"all light":               {{false, false}, {false, false}},
		"all dark":                {{true, true, true}, {true, true, true}, {true, true, true}},
		"runs at both ends":       {{true, true, false, true}, {false, false, false, false}, {false, true, false, true}, {true, false, false, true}},
		"alternating modules":     {{true, false, true}, {false, true, false}, {true, false, true}},
		"a hole at the row's end": {{true, false}, {true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(matrix, draw(t, SVGPath(matrix), len(matrix))); diff != "" {
				t.Errorf("drawing (-want +got):\n%s", diff)
			}
		})
	}
	if got, want := SVGPath([][]bool{{true, true, false}, {false, false, true}}), "M0 0h2v1h-2zM2 1h1v1h-1z"; got != want {
		t.Errorf("SVGPath = %q, want %q", got, want)
	}
}

// draw fills the rectangles of an SVG path.
func draw(t *testing.T, path string, size int) [][]bool {
	t.Helper()
	matrix := make([][]bool, size)
	for y := range matrix {
		matrix[y] = make([]bool, size)
	}
	for rest := path; rest != ""; {
		var x, y, length, back int
		if _, err := fmt.Sscanf(rest, "M%d %dh%dv1h-%dz", &x, &y, &length, &back); err != nil || length != back {
			t.Fatalf("not a rectangle: %.20q, %v", rest, err)
		}
		rest = rest[strings.Index(rest, "z")+1:]
		for i := range length {
			if matrix[y][x+i] {
				t.Errorf("module %d, %d is drawn twice", x+i, y)
			}
			matrix[y][x+i] = true
		}
	}
	return matrix
}

// scan reads a QR code of version 1 according to ISO/IEC 18004. The code must be upright
// and dark on light, at level M, undamaged, and hold at most 14 bytes.
func scan(t *testing.T, matrix [][]bool) string {
	t.Helper()
	if len(matrix) != scanned {
		t.Fatalf("%d rows, want %d", len(matrix), scanned)
	}
	// The format, next to the top left corner: two bits for the level, three for the mask.
	format := number(matrix[8][:5]) ^ 0b10101
	if level := format >> 3; level != 0b00 {
		t.Fatalf("the level is %02b, want that of M", level)
	}
	mask := masks[format&7]
	var bits []bool
	for x, y := range modules {
		bits = append(bits, matrix[y][x] != mask(x, y))
	}
	if mode := number(bits[:4]); mode != 0b0100 {
		t.Fatalf("the mode is %04b, want that of bytes", mode)
	}
	content := make([]byte, number(bits[4:12]))
	for i := range content {
		content[i] = byte(number(bits[12+8*i:][:8]))
	}
	return string(content)
}

// scanned is the width of a QR code of version 1.
const scanned = 21

var masks = []func(x, y int) bool{
	func(x, y int) bool { return (x+y)%2 == 0 },
	func(_, y int) bool { return y%2 == 0 },
	func(x, _ int) bool { return x%3 == 0 },
	func(x, y int) bool { return (x+y)%3 == 0 },
	func(x, y int) bool { return (y/2+x/3)%2 == 0 },
	func(x, y int) bool { return x*y%2+x*y%3 == 0 },
	func(x, y int) bool { return (x*y%2+x*y%3)%2 == 0 },
	func(x, y int) bool { return ((x+y)%2+x*y%3)%2 == 0 },
}

// modules yields the modules that hold data in their order. It takes two columns at a
// time from the right, up and down in turn, and skips the corners and timing lines.
func modules(yield func(x, y int) bool) {
	for i, right := range []int{20, 18, 16, 14, 12, 10, 8, 5, 3, 1} {
		for y := range scanned {
			if i%2 == 0 {
				y = scanned - 1 - y
			}
			for x := right; x > right-2; x-- {
				corner := y < 9 && (x < 9 || x > 12) || y > 12 && x < 9
				if !corner && y != 6 && !yield(x, y) {
					return
				}
			}
		}
	}
}

func number(bits []bool) (n int) {
	for _, bit := range bits {
		n *= 2
		if bit {
			n++
		}
	}
	return n
}
