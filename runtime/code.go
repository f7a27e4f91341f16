package runtime

// code is the value of :code.
func (r *Runtime) code() []byte { return nil }
