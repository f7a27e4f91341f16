// Package swork is the pallet of the work reports.
package swork
