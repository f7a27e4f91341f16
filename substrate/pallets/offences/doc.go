// Package offences is the book of what validators did wrong: it takes reports,
// knows which are new, and tells a Handler how bad it is.
//
// A Report says who offended, how (its kind) and when (its time slot, whose
// meaning the kind knows). The slashed fraction depends on how many validators
// did the same thing in the same time slot, so every new report tells the handler
// of all of them again, with a fraction that has risen.
//
//	err := p.File(e, reporters, &offences.Report{Kind: kind, TimeSlot: slot, …})
//
// Equivocations is what the pallets of consensus engines share: from a proof that
// they have verified to the report, and the rules by which the pool admits an
// unsigned one.
//
// What is kept is bounded: a validator can be reported maxReports times for one
// session, since who is found out does not care to be found out again, and would
// fill the state for nothing. With the last of them it has offended together with
// all others of whom that is true: or some could first use their reports up, one by one,
// and then offend together for the price of one alone. Reports are forgotten KeepSessions after their
// session, when nothing of it can be proved any more; but those whose time slot
// may belong to several sessions are kept for good, lest they be made twice.
//
// Rules: FRAME's pallet_offences, whose reports are all kept for good; facts
// gpos-runtime §1.13. A report is identified by kind, time slot and validator,
// without what stood behind the validator.
package offences
