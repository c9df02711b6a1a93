// Package plan decides how a binary is traced: which instruction stands for each event that a
// library's programs want to see, and at which offsets they find the fields that they read. It is
// pure: the same binary gives the same plan.
package plan

import "github.com/spanprobe/spanprobe/internal/model"

// Plan is how a binary is traced.
type Plan struct {
	Libraries []Library `json:"libraries"`
	// Goroutine says how it is told whether a goroutine has ended; nil: it cannot be.
	Goroutine *Goroutine `json:"-"`
}

// Goroutine is where runtime.g has what is asked of a goroutine, in bytes.
type Goroutine struct{ ID, Status uint64 }

// Library is how one library in a binary is traced, or why it is not.
type Library struct {
	Library string `json:"library"`
	Unused  bool   `json:"unused,omitempty"`   // the binary has none of its functions
	LeftOut string `json:"left_out,omitempty"` // why it is not traced although it is used
	// Option is the key of the configuration that says whether it is attached at all; "": it always
	// is.
	Option string  `json:"option,omitempty"`
	Sites  []Site  `json:"sites,omitempty"`
	Fields []Field `json:"fields,omitempty"`
	// Notes are the optional things that are missing, and why.
	Notes []string `json:"notes,omitempty"`
	// Offsets is the value for the library's map "offsets".
	Offsets []byte `json:"-"`
}

// Traced tells whether there is anything to attach.
func (l *Library) Traced() bool { return !l.Unused && l.LeftOut == "" }

// Traced tells whether there is anything to attach.
func (p *Plan) Traced() bool {
	for i := range p.Libraries {
		if p.Libraries[i].Traced() {
			return true
		}
	}
	return false
}

// Class says what a probe at an instruction costs.
type Class string

// The classes of instructions.
const (
	// Emulated: the kernel does what the instruction would have done.
	Emulated Class = "emulated"
	// SingleStepped: the instruction runs elsewhere, with a second trap behind it.
	SingleStepped Class = "single-stepped"
)

// Site is one instruction that gets a probe.
type Site struct {
	Symbol      string `json:"symbol"`
	Event       string `json:"event"` // "enter", "return" or "call"
	Program     string `json:"program"`
	Address     uint64 `json:"address"`     // virtual, as linked
	FileOffset  uint64 `json:"file_offset"` // bytes
	Instruction string `json:"instruction"`
	Class       Class  `json:"class"`
	// OnDemand sites get no probe before records tell that they are missed.
	OnDemand bool `json:"on_demand,omitempty"`
	// Slot is where the library's offsets say that the hook has probes, in bytes; 0: nowhere.
	Slot uintptr `json:"-"`
}

// Field is one offset that the programs get.
type Field struct {
	model.Field
	Exists   bool         `json:"exists"`
	Offset   uint64       `json:"offset"` // bytes; meaningless if it does not exist
	Source   model.Source `json:"source"`
	Optional bool         `json:"optional,omitempty"` // the programs can do without
}
