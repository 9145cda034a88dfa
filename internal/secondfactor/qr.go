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

// ErrTooLong means that a text is too long for a QR code.
var ErrTooLong = errors.New("the text does not fit into a QR code: shorten the names in it")

// Matrix returns the QR code of a text (ISO/IEC 18004, level M), row by row. True is
// dark. The quiet zone is not included: the caller leaves four modules free on each side.
// Matrix fails with ErrTooLong beyond 2331 bytes.
func Matrix(content string) ([][]bool, error) {
	// With automatic mode, an error would quote the content, which is secret.
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

// SVGPath returns the dark modules of a Matrix, each one unit wide, as the data of one
// SVG path. Each run of dark modules in a row becomes a rectangle.
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
