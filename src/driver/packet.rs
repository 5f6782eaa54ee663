//! The maximum packet of MySQL and MariaDB (`max_allowed_packet`). They answer a larger one by closing the
//! connection, mostly before they could report why, so the limit is queried first.

use std::sync::atomic::{AtomicU64, Ordering};

use sea_query::{Value, Values};

use super::connection::Lease;
use super::db::Db;
use super::row::Row;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};

/// The limit that is assumed until it is known: nobody sets it to less.
const SMALL: u64 = 64 * 1024;
/// The maximum bytes that a value takes besides its own: its type and its length.
const AROUND: usize = 11;
/// The maximum bytes of a value that is neither text nor bytes.
const NUMBER: usize = 16;

/// The limit of the server, as far as it is known.
pub(super) struct Packet(AtomicU64);

impl Default for Packet {
    fn default() -> Self {
        Self(AtomicU64::new(SMALL))
    }
}

impl Db {
    /// Returns the bytes of a statement if they exceed the known limit of the server.
    pub(super) fn beyond_known(&self, sql: &str, values: &Values) -> Option<u64> {
        let bytes = values.0.iter().map(size).sum::<usize>().max(sql.len());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let Packet(known) = self.packet();
        (bytes > known.load(Ordering::Relaxed)).then_some(bytes)
    }

    /// Refuses a statement of more bytes than the server of this connection takes. Values come from
    /// callers, so the error is theirs.
    pub(super) async fn require_packet(
        &self,
        lease: &mut Lease<sqlx::MySql>,
        bytes: u64,
    ) -> Result<()> {
        const ASK: &str = "SELECT @@max_allowed_packet";

        // Queried each time: it may have been raised.
        crate::events::statement(ASK);
        let row = sqlx::query(ASK).fetch_one(&mut **lease).await;
        let row = Row::Mysql(row.map_err(|error| lease.fail(error))?);
        let most = match row.cell(0, Kind::Int) {
            Ok(Cell::Int(most)) => u64::try_from(most).unwrap_or_default(),
            Ok(_) | Err(_) => {
                lease.refuse();
                return Err(Error::internal(
                    "the database does not tell how much it takes",
                ));
            }
        };
        self.packet().0.store(most, Ordering::Relaxed);
        if bytes <= most {
            return Ok(());
        }
        lease.refuse();
        crate::events::database_failure("misfit", "");
        Err(Error::invalid())
    }
}

fn size(value: &Value) -> usize {
    if let Value::String(Some(text)) = value {
        text.len() + AROUND
    } else if let Value::Bytes(Some(bytes)) = value {
        bytes.len() + AROUND
    } else {
        NUMBER + AROUND
    }
}
