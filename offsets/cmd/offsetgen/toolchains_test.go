package main

import "testing"

func TestPreReleasesAreNotExamined(t *testing.T) {
	for version, want := range map[string]bool{
		"1.20": true, "1.20.14": true, "1.26.0": true,
		"1.18beta1": false, "1.26rc1": false, "1.26.0-custom": false, "devel": false,
	} {
		if released(version) != want {
			t.Errorf("%s: released is %v", version, !want)
		}
	}
}
