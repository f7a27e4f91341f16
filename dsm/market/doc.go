// Package market is the storage market.
package market
