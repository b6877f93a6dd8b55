//! The database: SQLite embedded by default, PostgreSQL for many nodes; migrations; every SQL text; the job
//! queue; the key store.
//!
//! # One text, two drivers
//! A statement is written once, in a [`statements!`](sql) block of the module that owns the table, and run by one of
//! the macros `exec!`, `one!`, `optional!`, `all!` on a [`Tx`]. Placeholders are `$1…`; `ON CONFLICT`, `RETURNING`,
//! row-value keysets and CTEs are shared. Where the dialects differ (claiming work, mostly) a statement has two
//! texts. A test prepares every statement on both migrated schemas, so that a text that one database refuses
//! cannot be committed.
//!
//! Portable columns: UUID as `Uuid`, bytes as `Vec<u8>`, every number and every instant (`*_at`, microseconds UTC)
//! as `i64`, flags as `bool`, JSON as text that is never queried inside.
//!
//! # Transactions
//! [`Db::write`] and [`Db::read`] yield a [`Tx`]; [`Tx::commit`] makes it durable; dropping it rolls back. On SQLite
//! all writers share one connection, and commits that wait for each other are made durable together (`group.rs`).
//! A job is enqueued in the transaction of the change that it follows.
//!
//! # The most common change
//! A new statement: add it to the `statements!` block of its module and write a plain function
//! `pub async fn verb(tx: &mut Tx, …) -> Result<…, Error>` beside it. A new table: add it to
//! `migrations/{sqlite,postgres}` under the same number, and, if it holds sealed columns, to `sealed.rs`, so that
//! key rotation finds it.
//!
//! What does not belong here: rules of the domain, and the plaintext of sealed columns.

#[macro_use]
mod sql;

mod db;
mod error;
mod group;

pub mod account;
pub mod audit;
pub mod campaign;
pub mod campaign_check;
pub mod contact;
pub mod custom_field;
pub mod engagement;
pub mod import;
pub mod import_check;
pub mod invitation;
pub mod keystore;
pub mod ledger;
pub mod list;
pub mod permission;
pub mod queue;
pub mod relay;
pub mod rotation;
pub mod sealed;
pub mod sealed_file;
pub mod sending_domain;
pub mod sending_total;
pub mod sending_trouble;
pub mod session;
pub mod suppression;
pub mod tag;
pub mod throttle;
pub mod user;

pub use db::{Db, Opening, PostgresOptions, Released, Schema, SchemaState, SqliteOptions, Tx};
pub use error::Error;
pub use keystore::{KeyStore, KeyStoreError};
pub use sql::Sql;

/// What long-running work needs: the data and the keys. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// The data.
    pub db: Db,
    /// The keys that open its sealed columns.
    pub keys: KeyStore,
}

/// Every statement on the data schema, for the test that prepares them on both databases.
pub fn statements() -> Vec<&'static Sql> {
    [
        account::STATEMENTS,
        audit::STATEMENTS,
        campaign::STATEMENTS,
        campaign_check::STATEMENTS,
        contact::STATEMENTS,
        custom_field::STATEMENTS,
        engagement::STATEMENTS,
        import::STATEMENTS,
        import_check::STATEMENTS,
        invitation::STATEMENTS,
        ledger::STATEMENTS,
        ledger::freeze::STATEMENTS,
        list::STATEMENTS,
        permission::STATEMENTS,
        queue::STATEMENTS,
        relay::STATEMENTS,
        sealed::STATEMENTS,
        sealed_file::STATEMENTS,
        sending_domain::STATEMENTS,
        sending_total::STATEMENTS,
        sending_trouble::STATEMENTS,
        session::STATEMENTS,
        suppression::STATEMENTS,
        tag::STATEMENTS,
        throttle::STATEMENTS,
        user::STATEMENTS,
    ]
    .concat()
}

/// A bulk statement's name and its texts for a full piece on SQLite and PostgreSQL, for the same test.
pub fn bulk_statements() -> Vec<(&'static str, String, String)> {
    let all: &[&[&sql::Bulk]] =
        &[contact::BULK, import::BULK, ledger::BULK, list::BULK, permission::BULK, suppression::BULK, tag::BULK];
    all.concat()
        .into_iter()
        .map(|bulk| {
            (bulk.name, bulk.text(sql::Bulk::ROWS, false).to_string(), bulk.text(sql::Bulk::ROWS, true).to_string())
        })
        .collect()
}

/// Every statement on the key store's schema.
pub fn key_statements() -> Vec<&'static Sql> {
    [keystore::STATEMENTS, rotation::STATEMENTS].concat()
}
