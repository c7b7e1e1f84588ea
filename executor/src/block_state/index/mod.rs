//! Positions in a list by key.
//!
//! The node uses a hash table with a secret random seed, which is fast for any keys. The proof
//! program cannot have a secret: an attacker knows every hash that it will compute, and could
//! choose colliding keys until one access costs as much as all others together. It uses an ordered
//! map.

#[cfg(any(feature = "std", test))]
mod hashed;
#[cfg(any(not(feature = "std"), test))]
mod ordered;

#[cfg(feature = "std")]
pub(super) use hashed::KeyIndex;
#[cfg(not(feature = "std"))]
pub(super) use ordered::KeyIndex;
