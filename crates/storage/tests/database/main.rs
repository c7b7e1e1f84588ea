//! Databases across restarts, damage and races, on SQLite files and on a PostgreSQL server that
//! this process starts.

mod damage;
mod files;
mod fixture;
mod index;
mod journal;
mod logs;
mod migrations;
mod place;
mod roles;
mod servers;
mod transactions;
mod waiting;
mod writers;

use libtest_mimic::{Arguments, Trial};

use crate::place::Kind;

/// Both database engines.
const BOTH: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

/// Creates a trial of each test of `module: test, …;` on each engine.
macro_rules! trials {
    ($kinds:expr; $($module:ident: $($test:ident),+;)+) => {
        [$($(
            $kinds.map(|kind| {
                let name = concat!(stringify!($module), "::", stringify!($test));
                place::trial(name, kind, |place| Box::pin($module::$test(place)))
            }),
        )+)+].into_iter().flatten()
    };
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(trials! { BOTH;
        journal:
            restart_finds_appended_rows,
            append_of_many_rows_is_atomic,
            append_refuses_a_part_without_outcomes,
            replica_copies_rows_unchanged,
            sealed_blocks_are_read_from_scattered_rows,
            reorged_blocks_are_not_read_as_sealed;
        damage:
            any_flipped_byte_is_detected,
            swapped_or_missing_rows_are_detected,
            row_of_another_history_is_refused,
            journal_of_another_chain_is_refused,
            lost_end_of_the_journal_is_detected;
        index:
            indexed_records_are_read_back,
            failed_batch_leaves_the_index_unchanged,
            transactions_with_one_hash_prefix_are_told_apart,
            rewind_removes_blocks_and_records_the_reorg,
            accepted_transaction_is_no_longer_refused,
            cleared_index_can_be_rebuilt,
            dropping_proofs_spares_the_kept_ones;
        logs:
            block_keys_find_what_a_scan_finds,
            blocks_without_keys_always_match;
        transactions:
            transaction_index_finds_what_a_map_finds,
            truncated_entry_is_an_error;
        migrations:
            database_of_the_first_migrations_keeps_its_rows,
            waiting_transactions_of_old_rows_are_logged;
        waiting:
            log_holds_what_waits_at_the_end,
            outcome_in_the_same_append_is_never_logged,
            failed_append_leaves_the_log_unchanged,
            rows_do_not_hold_waiting_bytes,
            replica_copies_the_log,
            foreign_bytes_beside_a_row_are_refused;
        writers:
            second_writer_and_other_chain_are_refused,
            writer_of_an_older_epoch_is_fenced,
            closed_database_refuses_reads_and_writes;
        roles:
            outbox_keeps_batches_until_confirmed,
            derived_record_replaces_later_ones,
            signed_transactions_survive_until_forgotten;
    });
    trials.extend(trials! { [Kind::Sqlite];
        files:
            database_of_an_early_version_is_refused,
            path_may_contain_any_character,
            torn_file_is_an_error;
    });
    trials.extend(trials! { [Kind::Postgres];
        servers:
            full_disk_leaves_the_journal_unchanged,
            lost_connection_ends_writing,
            appended_rows_survive_a_server_crash,
            schemas_are_separate_databases;
    });
    libtest_mimic::run(&arguments, trials).exit();
}
