package main

import (
	"io"
	"os/exec"
	"testing"
)

func TestWhatRunsUnderSudoEndsWhenItsInputIsClosed(t *testing.T) {
	command := exec.Command("sh", "-c", underSudo, "sh",
		"sh", "-c", `trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done`)
	stdin, stdout := pipes(t, command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := command.Wait(); command.ProcessState.ExitCode() != 7 {
		t.Errorf("it ended with %v, want the exit status 7 of the traced command", err)
	}
}

func TestWhatRunsUnderSudoHandsItsFailureOn(t *testing.T) {
	command := exec.Command("sh", "-c", underSudo, "sh", "sh", "-c", "exit 5")
	pipes(t, command) // held open
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != 5 {
		t.Errorf("it ended with %v, want exit status 5", err)
	}
}

func pipes(t *testing.T, command *exec.Cmd) (io.WriteCloser, io.ReadCloser) {
	t.Helper()
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return stdin, stdout
}
