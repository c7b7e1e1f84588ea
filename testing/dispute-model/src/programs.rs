//! Programs: which one judges an entry.

/// A program: the first entry that it judges, and its initial state.
pub type Program = (u64, u64);

/// The program that judges an entry: the last one in list order that begins at it or before. An
/// escape appends one that begins earlier than those before it in the list.
pub fn program_of(programs: &[Program], entry: u64) -> Option<u64> {
    programs.iter().rev().find(|(from, _)| *from <= entry).map(|(_, state)| *state)
}
