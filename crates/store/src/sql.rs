//! The macros that write a statement once and run it on either driver.

use std::sync::{Arc, OnceLock};

/// One statement: its name, and its text for each database.
#[derive(Debug)]
pub struct Sql {
    /// The constant's name, as the preparation test reports it.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL; the same as for SQLite unless the dialects force them apart.
    pub postgres: &'static str,
}

/// Defines statements and collects them in `STATEMENTS`.
///
/// `FIND = "SELECT …";` has one text; `CLAIM = "…" | "…";` has one for SQLite and one for PostgreSQL.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $sqlite:expr $(=> $postgres:expr)?;)*) => {
        $($(#[$meta])* static $name: $crate::sql::Sql = $crate::sql::Sql {
            name: concat!(module_path!(), "::", stringify!($name)),
            sqlite: $sqlite,
            postgres: statements!(@pick $sqlite $(, $postgres)?),
        };)*
        /// Every statement of this module.
        pub(crate) static STATEMENTS: &[&$crate::sql::Sql] = &[$(&$name),*];
    };
    (@pick $sqlite:expr) => { $sqlite };
    (@pick $sqlite:expr, $postgres:expr) => { $postgres };
}

/// Runs a statement; yields the number of rows it changed.
macro_rules! exec {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::db::Tx::Sqlite(tx) => sqlx::query($sql.sqlite)$(.bind($arg))*
                .execute(tx.connection()).await.map(|done| done.rows_affected()),
            $crate::db::Tx::Postgres(tx) => sqlx::query($sql.postgres)$(.bind($arg))*
                .execute(&mut **tx).await.map(|done| done.rows_affected()),
        }.map_err($crate::Error::from)
    };
}

macro_rules! fetch {
    ($method:ident, $tx:expr, $sql:expr => $row:ty $(, $arg:expr)*) => {
        match &mut *$tx {
            $crate::db::Tx::Sqlite(tx) => sqlx::query_as::<_, $row>($sql.sqlite)$(.bind($arg))*
                .$method(tx.connection()).await,
            $crate::db::Tx::Postgres(tx) => sqlx::query_as::<_, $row>($sql.postgres)$(.bind($arg))*
                .$method(&mut **tx).await,
        }.map_err($crate::Error::from)
    };
}

/// Runs a query that yields exactly one row.
macro_rules! one {
    ($tx:expr, $sql:expr => $row:ty $(, $arg:expr)* $(,)?) => { fetch!(fetch_one, $tx, $sql => $row $(, $arg)*) };
}

/// Runs a query that yields at most one row.
macro_rules! optional {
    ($tx:expr, $sql:expr => $row:ty $(, $arg:expr)* $(,)?) => { fetch!(fetch_optional, $tx, $sql => $row $(, $arg)*) };
}

/// Runs a query and collects its rows. The statement carries its own LIMIT.
macro_rules! all {
    ($tx:expr, $sql:expr => $row:ty $(, $arg:expr)* $(,)?) => { fetch!(fetch_all, $tx, $sql => $row $(, $arg)*) };
}

/// A statement over many rows of values at once: `head VALUES (…), (…) tail`, where `head` ends before `VALUES` and each
/// row contributes a placeholder for each of `casts`. What all rows share can be bound once, before them:
/// `once VALUES (…) head VALUES (…), (…) tail`.
///
/// The rows of one call are cut into pieces of [`Bulk::ROWS`], so that no statement outgrows the drivers' limits
/// (SQLite: 32,766 parameters, PostgreSQL: 65,535) and full pieces share one prepared text.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) name: &'static str,
    /// What stands before the values that all rows share, and their casts.
    pub(crate) once: (&'static str, &'static [&'static str]),
    pub(crate) head: &'static str,
    /// The PostgreSQL casts of the columns where the database cannot infer them (a `VALUES` list that is not
    /// directly under an INSERT), for example `["uuid", "bytea"]`; its length is the number of columns.
    pub(crate) casts: &'static [&'static str],
    pub(crate) tail: &'static str,
    pub(crate) full: [OnceLock<Arc<str>>; 2],
}

impl Bulk {
    /// Rows in one statement.
    pub(crate) const ROWS: usize = 250;

    pub(crate) const fn new(
        name: &'static str,
        once: (&'static str, &'static [&'static str]),
        head: &'static str,
        casts: &'static [&'static str],
        tail: &'static str,
    ) -> Self {
        Self { name, once, head, casts, tail, full: [const { OnceLock::new() }; 2] }
    }

    /// The text for `rows` rows on SQLite (`postgres == false`) or PostgreSQL.
    pub(crate) fn text(&self, rows: usize, postgres: bool) -> Arc<str> {
        if rows == Self::ROWS {
            return self.full[usize::from(postgres)].get_or_init(|| self.write(rows, postgres)).clone();
        }
        self.write(rows, postgres)
    }

    fn write(&self, rows: usize, postgres: bool) -> Arc<str> {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + rows * self.casts.len() * 8);
        let mut number = 0;
        let mut values = |text: &mut String, casts: &[&str]| {
            for (column, cast) in casts.iter().enumerate() {
                number += 1;
                let comma = if column == 0 { "(" } else { ", " };
                // SQLite looks numbered parameters up one by one, in time that grows with their square; bare ones it
                // only counts.
                let _ = if postgres { write!(text, "{comma}${number}") } else { write!(text, "{comma}?") };
                if postgres && !cast.is_empty() {
                    let _ = write!(text, "::{cast}");
                }
            }
            text.push(')');
        };
        let (once, shared) = self.once;
        if !shared.is_empty() {
            text.push_str(once);
            text.push_str(" VALUES ");
            values(&mut text, shared);
        }
        text.push_str(self.head);
        text.push_str(" VALUES ");
        for row in 0..rows {
            if row > 0 {
                text.push_str(", ");
            }
            values(&mut text, self.casts);
        }
        text.push(' ');
        text.push_str(self.tail);
        text.into()
    }
}

/// Defines bulk statements and collects them in `BULK`: `NAME = "head" ["cast", …] "tail";`, with
/// `once "…" ["cast", …]` before the head where values are shared by all rows.
macro_rules! bulk_statements {
    ($($(#[$meta:meta])* $name:ident = $(once $once:literal [$($shared:literal),*])?
            $head:literal [$($cast:literal),*] $tail:literal;)*) => {
        $($(#[$meta])* static $name: $crate::sql::Bulk = $crate::sql::Bulk::new(
            concat!(module_path!(), "::", stringify!($name)),
            bulk_statements!(@once $($once [$($shared),*])?), $head, &[$($cast),*], $tail);)*
        /// Every bulk statement of this module.
        pub(crate) static BULK: &[&$crate::sql::Bulk] = &[$(&$name),*];
    };
    (@once) => { ("", &[]) };
    (@once $once:literal [$($shared:literal),*]) => { ($once, &[$($shared),*]) };
}

/// Runs a bulk statement over `rows`; `|query, row| query.bind(…)` binds one row, and values that all rows share stand
/// behind its name: `NAME(account)`. Yields the rows changed.
macro_rules! bulk_exec {
    ($tx:expr, $bulk:ident $(($($shared:expr),* $(,)?))?, $rows:expr, |$query:ident, $row:ident| $bind:expr) => {
        async {
            let mut changed = 0u64;
            for piece in $rows.chunks($crate::sql::Bulk::ROWS) {
                changed += match &mut *$tx {
                    $crate::db::Tx::Sqlite(tx) => {
                        let mut $query = sqlx::query(sqlx::AssertSqlSafe($bulk.text(piece.len(), false)))
                            $($(.bind($shared))*)?;
                        for $row in piece {
                            $query = $bind;
                        }
                        $query.execute(tx.connection()).await?.rows_affected()
                    }
                    $crate::db::Tx::Postgres(tx) => {
                        let mut $query = sqlx::query(sqlx::AssertSqlSafe($bulk.text(piece.len(), true)))
                            $($(.bind($shared))*)?;
                        for $row in piece {
                            $query = $bind;
                        }
                        $query.execute(&mut **tx).await?.rows_affected()
                    }
                };
            }
            Ok::<u64, $crate::Error>(changed)
        }
        .await
    };
}

/// Runs a bulk query over `rows` and collects what it returns, in no particular order.
macro_rules! bulk_all {
    ($tx:expr, $bulk:ident $(($($shared:expr),* $(,)?))? => $out:ty, $rows:expr,
            |$query:ident, $row:ident| $bind:expr) => {
        async {
            let mut found: Vec<$out> = Vec::new();
            for piece in $rows.chunks($crate::sql::Bulk::ROWS) {
                match &mut *$tx {
                    $crate::db::Tx::Sqlite(tx) => {
                        let mut $query = sqlx::query_as::<_, $out>(sqlx::AssertSqlSafe($bulk.text(piece.len(), false)))
                            $($(.bind($shared))*)?;
                        for $row in piece {
                            $query = $bind;
                        }
                        found.append(&mut $query.fetch_all(tx.connection()).await?);
                    }
                    $crate::db::Tx::Postgres(tx) => {
                        let mut $query = sqlx::query_as::<_, $out>(sqlx::AssertSqlSafe($bulk.text(piece.len(), true)))
                            $($(.bind($shared))*)?;
                        for $row in piece {
                            $query = $bind;
                        }
                        found.append(&mut $query.fetch_all(&mut **tx).await?);
                    }
                }
            }
            Ok::<Vec<$out>, $crate::Error>(found)
        }
        .await
    };
}
