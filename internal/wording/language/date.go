// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package language

import (
	"fmt"
	"time"
)

// usage holds the name of a language in that language, and how it writes dates.
type usage struct {
	name     string
	weekdays [7]string // from Sunday, as in time.Weekday
	months   [12]string
	date     func(t time.Time, weekday, month string) string
}

var usages = map[Tag]usage{
	"en": {
		name:     "English",
		weekdays: [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		months: [...]string{
			"January", "February", "March", "April", "May", "June",
			"July", "August", "September", "October", "November", "December",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s, %d %s %d, %s UTC", weekday, t.Day(), month, t.Year(), clock(t))
		},
	},
	"it": {
		name:     "Italiano",
		weekdays: [...]string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"},
		months: [...]string{
			"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
			"luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s %s %s %d, ore %s UTC", weekday, first(t, "º"), month, t.Year(), clock(t))
		},
	},
	"fr": {
		name:     "Français",
		weekdays: [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
		months: [...]string{
			"janvier", "février", "mars", "avril", "mai", "juin",
			"juillet", "août", "septembre", "octobre", "novembre", "décembre",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s %s %s %d à %s UTC", weekday, first(t, "er"), month, t.Year(), clock(t))
		},
	},
	"de": {
		name:     "Deutsch",
		weekdays: [...]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		months: [...]string{
			"Januar", "Februar", "März", "April", "Mai", "Juni",
			"Juli", "August", "September", "Oktober", "November", "Dezember",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s, %d. %s %d, %s Uhr UTC", weekday, t.Day(), month, t.Year(), clock(t))
		},
	},
	"es": {
		name:     "Español",
		weekdays: [...]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
		months: [...]string{
			"enero", "febrero", "marzo", "abril", "mayo", "junio",
			"julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s %d de %s de %d, %s %s UTC",
				weekday, t.Day(), month, t.Year(), hour(t, "a la", "a las"), clock(t))
		},
	},
	"pt": {
		name: "Português",
		weekdays: [...]string{
			"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado",
		},
		months: [...]string{
			"janeiro", "fevereiro", "março", "abril", "maio", "junho",
			"julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
		},
		date: func(t time.Time, weekday, month string) string {
			return fmt.Sprintf("%s, %d de %s de %d, %s %s UTC",
				weekday, t.Day(), month, t.Year(), hour(t, "à", "às"), clock(t))
		},
	},
}

func (t Tag) usage() usage { return usages[Tag(t.String())] }

// Date writes a time as the language writes it in a letter. It is in UTC and cut to the minute, such as
// "Saturday, 28 November 2026, 10:00 UTC".
func (t Tag) Date(at time.Time) string {
	at = at.UTC()
	u := t.usage()
	return u.date(at, u.weekdays[at.Weekday()], u.months[at.Month()-1])
}

func clock(t time.Time) string { return t.Format("15:04") }

// first returns the day of the month, for languages in which only the first has an ordinal.
func first(t time.Time, ordinal string) string {
	if t.Day() == 1 {
		return "1" + ordinal
	}
	return fmt.Sprint(t.Day())
}

// hour returns the preposition before a time of day, for languages in which one o'clock is singular.
func hour(t time.Time, singular, plural string) string {
	if t.Hour() == 1 {
		return singular
	}
	return plural
}
