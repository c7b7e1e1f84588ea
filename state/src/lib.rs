//! The authenticated state: a Merkle-Patricia trie with blinded nodes and a flat view.
