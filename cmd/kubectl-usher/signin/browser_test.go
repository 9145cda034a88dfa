// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The server for the browser ends as soon as there is an answer.
func TestThePageIsSentBeforeTheAnswerCounts(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"state=s&code=c", "state=s&error=access_denied"} {
		recorder := httptest.NewRecorder()
		answers := make(chan answer, 1)
		handler := (&Client{}).receive("s", answers)
		for range 2 { // a browser can reload the page
			handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, nil))
		}
		if !recorder.Flushed || recorder.Code != http.StatusOK || len(answers) != 1 {
			t.Errorf("%s: flushed %t, status %d, answers %d", query, recorder.Flushed, recorder.Code, len(answers))
		}
	}
}
