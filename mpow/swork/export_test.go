package swork

// ParseAddress is open to tests.
var ParseAddress = parseAddress
