// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"errors"
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// ErrTooLong says that a text is too long for a QR code.
var ErrTooLong = errors.New("the text does not fit into a QR code: shorten the names in it")

// Matrix is the QR code of a text (ISO/IEC 18004, level M), row by row; true is
// dark. The quiet zone is not part of it: whoever draws it leaves four modules
// free on each side. It fails with ErrTooLong beyond 2331 bytes.
func Matrix(content string) ([][]bool, error) {
	// With the mode left open, an error would quote the content, which is secret.
	code, err := qr.Encode(content, qr.M, qr.Unicode)
	if err != nil {
		return nil, ErrTooLong
	}
	size := code.Bounds()
	matrix := make([][]bool, size.Dy())
	for y := range matrix {
		matrix[y] = make([]bool, size.Dx())
		for x := range matrix[y] {
			matrix[y][x] = code.At(x, y) == color.Black
		}
	}
	return matrix, nil
}

// SVGPath draws the dark modules of a Matrix, each a unit wide, as the data of
// one SVG path: a rectangle for each run of them in a row.
func SVGPath(matrix [][]bool) string {
	var path strings.Builder
	for y, row := range matrix {
		for x := 0; x < len(row); x++ {
			start := x
			for x < len(row) && row[x] {
				x++
			}
			if length := x - start; length > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", start, y, length, length)
			}
		}
	}
	return path.String()
}
