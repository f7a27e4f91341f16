// Package metadata writes the self-description that clients read to learn a
// runtime's types, storage, calls, events, errors, constants and runtime APIs:
// formats V14 and V15 of FRAME metadata.
//
// [Model] is a runtime described in terms of Go types. [Encode] walks the types
// with package scale, gives each one number in a portable registry, and writes
// the bytes that state_getMetadata and the Metadata runtime API return.
//
//	v14 := metadata.Encode(model, 14) // starts with "meta"
//
// Type numbers follow from the order of the model, so the same runtime always
// yields the same bytes. V16 is not written.
package metadata
