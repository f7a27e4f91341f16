package attest

// Refusals are the errors of the checks of package dcap.
var Refusals = refusals
