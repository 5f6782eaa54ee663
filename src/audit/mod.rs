//! Logging and auditing: `tracing` events with stable targets, and the record of writes. No event holds a
//! secret, a token or a value of a row, except the key of a row that is written. Text from outside has its
//! control and format characters escaped, including those that change the direction of writing.
//!
//! | target | level | says |
//! |---|---|---|
//! | `clearance::audit` | info | each decision on a write: an [`AuditEvent`] |
//! | `clearance::audit` | error | an [`AuditEvent`] that its sink did not take |
//! | `clearance::sql` | debug | the text of each statement, without its values |
//! | `clearance::database` | warn | the class and code of a failed statement |
//! | `clearance::database` | error | a stored value that its field cannot have |
//! | `clearance::session` | info | a session's life, and each refused credential and sign-in |
//! | `clearance::session` | warn | a session store or viewer source that gave no answer |
//! | `clearance::token` | info | each refused token |
//! | `clearance::token` | warn | a key that has sealed half of the tokens that it may seal |
//! | `clearance::explain` | debug | the rule that decided, without values of the row |
//! | `clearance::access` | info | each refused call, each system access, each escape hatch |
//! | `clearance::check` | warn | a trigger that can change a row behind the rules of its write, and a foreign key that an input sets without a rule on the row that it refers to |
//! | `clearance::failure` | error | the advice behind an answer of status 500 |

mod event;
mod sink;

pub(crate) use event::{Actor, key_text};
pub use event::{AuditEvent, Outcome};
pub use sink::{AuditSink, SinkError};
pub(crate) use sink::{decided, listens, record, refused};

pub use crate::session::event::{
    CredentialRefusal, Revocation, SessionEvent, SessionEventKind, SignInRefusal,
};
pub use crate::session::event_sink::SessionEventSink;
pub use crate::tables::SqlAuditSink;
