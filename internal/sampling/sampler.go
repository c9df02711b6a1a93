package sampling

// Sampler says which operations are sampled. The zero value samples all operations that come
// without a trace context, and of the others those whose caller samples.
type Sampler struct {
	Threshold Threshold
	// IgnoreParent applies the threshold to operations that come with a trace
	// context, too, whatever that says.
	IgnoreParent bool
}

// New makes a sampler of a ratio: 0, or from MinRatio to 1. A sampler that is based on parents
// follows the decision that a trace context carries.
func New(ratio float64, parentBased bool) (Sampler, error) {
	threshold, err := FromRatio(ratio)
	return Sampler{Threshold: threshold, IgnoreParent: !parentBased}, err
}

// Decides tells whether a sampled span, a root or one with a remote parent, is to say at what
// threshold. A span does not say so if the sampler has followed its parent, or samples all.
func (s Sampler) Decides(root, remoteParent bool) bool {
	return root && s.Threshold != Always || remoteParent && s.IgnoreParent
}
