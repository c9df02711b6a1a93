package model

// QueryMode says what becomes of the query of a traced URL.
type QueryMode string

// The query modes.
const (
	QueryRedact QueryMode = "redact" // keep the keys, replace each value by REDACTED
	QueryKeep   QueryMode = "keep"   // as it came
	QueryDrop   QueryMode = "drop"   // no url.query at all
)
