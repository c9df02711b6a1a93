package main

import (
	"os/exec"
	"strconv"

	"github.com/spanprobe/spanprobe/testbed/bench/report"
)

// subject is what is measured: a program that gets requests, or that makes or serves calls.
type subject struct {
	name         string
	load         string // "request" or "call"
	bare, byHand string // names of its programs
	kinds        []report.Mode
	// arrange starts it on a stage, with what it calls, or what calls it.
	arrange func(*stage, *exec.Cmd) error
}

var (
	server = subject{
		"server", "request", "bare", "byhand",
		[]report.Mode{report.Fixed, report.HTTP2},
		(*stage).startServer,
	}
	clients = subject{
		"client", "call", "barecalls", "byhandcalls",
		[]report.Mode{report.HTTPClient, report.UnaryClient, report.StreamClient},
		(*stage).startClient,
	}
	servers = subject{
		"server of gRPC", "call", "barecalls", "byhandcalls",
		[]report.Mode{report.UnaryServer, report.StreamServer},
		(*stage).startCalled,
	}
)

// startServer starts the command as what gets requests.
func (s *stage) startServer(command *exec.Cmd) error {
	measured, address, err := s.launch("server", command)
	s.measured = measured
	s.url = "http://" + address + requestPath
	return err
}

// startClient starts what is called, and the command as what calls it.
func (s *stage) startClient(command *exec.Cmd) error {
	_, web, err := s.launch("web", exec.Command(s.path("bare")))
	if err != nil {
		return err
	}
	_, rpc, err := s.launch("peer", exec.Command(s.path("peer")))
	if err != nil {
		return err
	}
	command.Args = append(command.Args, "-http", "http://"+web+requestPath)
	err = s.startCaller("client", command, rpc)
	s.measured = s.caller
	return err
}

// startCalled starts the command as what is called, and what calls it.
func (s *stage) startCalled(command *exec.Cmd) (err error) {
	var address string
	if s.measured, address, err = s.launch("server", command); err != nil {
		return err
	}
	return s.startCaller("peer", exec.Command(s.path("peer")), address)
}

// startCaller starts the command as what makes the calls.
func (s *stage) startCaller(name string, command *exec.Cmd, rpc string) (err error) {
	command.Args = append(command.Args, "-grpc", rpc, "-connections", strconv.Itoa(s.connections))
	s.caller, _, err = s.launch(name, command)
	return err
}
