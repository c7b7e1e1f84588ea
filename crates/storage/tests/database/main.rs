//! What a restart finds: everything that was acknowledged, and a clear error for everything that is not right. All of it on a SQLite file
//! and on a PostgreSQL server of this process's own.

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
mod writers;

use libtest_mimic::{Arguments, Trial};

use crate::place::Kind;

/// Where a test makes sense.
const BOTH: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

/// `module: test, …;`, each on all these kinds.
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
            a_restart_finds_what_was_appended,
            an_append_of_many_rows_is_one,
            what_does_not_fit_is_not_written,
            a_replica_copies_rows_as_they_are,
            blocks_are_found_among_other_rows,
            reorged_blocks_are_not_in_those_that_stand;
        damage:
            any_flipped_byte_is_found,
            rows_that_are_swapped_or_missing_are_found,
            a_row_of_another_history_does_not_fit,
            the_journal_of_another_chain_does_not_fit,
            an_end_that_is_lost_is_missed;
        index:
            what_was_indexed_is_found,
            a_batch_is_whole_or_nothing,
            a_prefix_places_and_does_not_identify,
            what_is_rewound_is_replaced,
            what_waits_may_be_told_of_twice,
            what_waits_may_take_the_place_of_what_has_gone,
            they_can_be_written_anew,
            proofs_are_kept_for_the_last_blocks_of_entries;
        logs:
            an_index_finds_what_a_scan_finds,
            what_the_index_does_not_know_is_looked_at;
        transactions:
            an_index_finds_what_a_map_finds,
            a_cut_entry_is_found;
        migrations:
            a_database_of_the_first_migrations_keeps_its_rows;
        writers:
            one_writer_and_one_chain,
            whoever_has_an_older_epoch_cannot_write,
            a_closed_database_says_so;
        roles:
            an_outbox_keeps_what_was_signed_until_it_is_confirmed,
            what_an_entry_derives_gives_way_with_all_after_it,
            what_a_challenger_has_sent_survives_until_it_is_forgotten;
    });
    trials.extend(trials! { [Kind::Sqlite];
        files:
            a_database_of_an_earlier_version_is_refused,
            a_path_may_have_any_characters,
            a_torn_file_is_an_error;
    });
    trials.extend(trials! { [Kind::Postgres];
        servers:
            a_full_disk_leaves_the_journal_as_it_was,
            a_lost_connection_ends_writing,
            what_was_appended_outlives_the_server,
            two_schemas_are_two_databases;
    });
    libtest_mimic::run(&arguments, trials).exit();
}
