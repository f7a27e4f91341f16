package scale

// Option is a value or none. The zero Option is none.
type Option[T any] struct {
	Valid bool
	Value T
}

// Some is the option that holds v.
func Some[T any](v T) Option[T] { return Option[T]{Valid: true, Value: v} }

// Get returns the value and whether there is one.
func (o Option[T]) Get() (T, bool) { return o.Value, o.Valid }

// Or returns the value, or def if there is none.
func (o Option[T]) Or(def T) T {
	if o.Valid {
		return o.Value
	}
	return def
}

func (Option[T]) isOption() {}

type optional interface{ isOption() }

// Pair is a tuple of two.
type Pair[A, B any] struct {
	A A
	B B
}

func (Pair[A, B]) isTuple() {}

// Triple is a tuple of three.
type Triple[A, B, C any] struct {
	A A
	B B
	C C
}

func (Triple[A, B, C]) isTuple() {}

type tuple interface{ isTuple() }
