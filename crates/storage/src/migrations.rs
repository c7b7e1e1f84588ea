//! The SQL files of `migrations/`, embedded in the binary.
//!
//! Each version number is used once across both directories, because a PostgreSQL database holds
//! journal and index. An applied file never changes, not even its comments: sqlx stores its
//! checksum. Every change is a new file.

use std::borrow::Cow;

use sqlx::{
    AnyConnection, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::StorageError;

/// A migration file: version, description and statements.
type File = (i64, &'static str, &'static str);

macro_rules! file {
    ($version:literal, $description:literal, $path:literal) => {
        ($version, $description, include_str!(concat!("../../../migrations/", $path)))
    };
}

/// Ground truth: journal and outbox.
pub(crate) const JOURNAL: &[File] = &[
    file!(1, "roles", "journal/0001_roles.sql"),
    file!(4, "writer epoch", "journal/0004_writer_epoch.sql"),
    file!(6, "signed transactions", "journal/0006_signed_transactions.sql"),
    file!(7, "batches by content", "journal/0007_batches_by_content.sql"),
    file!(8, "waiting", "journal/0008_waiting.sql"),
];

/// Tables derived from the journal.
pub(crate) const INDEX: &[File] = &[
    file!(2, "index", "index/0002_index.sql"),
    file!(3, "block keys", "index/0003_block_keys.sql"),
    file!(5, "reorgs", "index/0005_reorgs.sql"),
    file!(9, "pending", "index/0009_pending.sql"),
];

/// Applies the migrations that the database does not have yet.
pub(crate) async fn migrate(
    files: &'static [File],
    connection: &mut AnyConnection,
) -> Result<(), StorageError> {
    let migrations = files.iter().map(|&(version, description, sql)| {
        let description = Cow::Borrowed(description);
        Migration::new(version, description, MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // On PostgreSQL the same table also records the other part's migrations.
    migrator.set_ignore_missing(true);
    Ok(migrator.run_direct(None, connection, false).await?)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{INDEX, JOURNAL};

    #[test]
    fn every_migration_file_is_embedded_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let mut versions = BTreeSet::new();
        for (folder, files) in [("journal", JOURNAL), ("index", INDEX)] {
            let found = fs::read_dir(root.join(folder)).expect("the folder exists");
            let found = found
                .map(|file| {
                    fs::read_to_string(file.expect("a file").path()).expect("the file is text")
                })
                .collect::<BTreeSet<_>>();
            let embedded = files.iter().map(|(_, _, sql)| (*sql).to_owned()).collect();
            assert_eq!(found, embedded, "{folder}");
            assert!(files.iter().all(|(version, ..)| versions.insert(*version)));
        }
    }
}
