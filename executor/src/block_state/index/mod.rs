//! Where in a list the item with a key is.
//!
//! The node hashes: with a seed that nobody can know, that is fast whatever the keys. The proof program has no secret:
//! whoever runs it knows every hash it will compute and could choose keys that collide, so that one more access costs
//! as much as all before it together. There the index is ordered.

#[cfg(any(feature = "std", test))]
mod hashed;
#[cfg(any(not(feature = "std"), test))]
mod ordered;

#[cfg(feature = "std")]
pub(super) use hashed::KeyIndex;
#[cfg(not(feature = "std"))]
pub(super) use ordered::KeyIndex;
