//! Dishonest proposers and challengers: they play by the same rules as honest ones, believe something else, and lose.
