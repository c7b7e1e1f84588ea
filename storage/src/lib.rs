//! What the roles keep on disk: the journal, its look-ups and the posting outbox.
