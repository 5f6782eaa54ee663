//! Which SQL ran for which call: the library's events, sorted by the span they came from.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The header in which the client numbers its calls.
pub(crate) const CALL_HEADER: &str = "x-call";

/// The statements of each call.
#[derive(Clone, Default)]
pub(crate) struct SqlLog(Arc<Mutex<HashMap<u64, Vec<String>>>>);

impl SqlLog {
    /// The log of this process. Call it before the first statement runs.
    pub(crate) fn of_the_process() -> Self {
        static LOG: OnceLock<SqlLog> = OnceLock::new();
        let install = || {
            let log = Self::default();
            let subscriber = tracing_subscriber::registry().with(log.clone());
            // Where another subscriber is installed, the log stays empty and the tour says so.
            let _installed = tracing::subscriber::set_global_default(subscriber);
            log
        };
        LOG.get_or_init(install).clone()
    }

    /// A number that no other call in this process has.
    pub(crate) fn next_call() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes out what call `number` ran.
    pub(crate) fn take(&self, number: u64) -> Vec<String> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.remove(&number).unwrap_or_default()
    }
}

/// The number of the call that a span stands for.
struct Call(u64);

impl<S> Layer<S> for SqlLog
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut number = Number(None);
        attributes.record(&mut number);
        if let (Number(Some(number)), Some(span)) = (number, context.span(id)) {
            span.extensions_mut().insert(Call(number));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "clearance::sql" {
            return;
        }
        let mut statement = Statement(None);
        event.record(&mut statement);
        let mut spans = context.event_scope(event).into_iter().flatten();
        let number = spans.find_map(|span| span.extensions().get::<Call>().map(|call| call.0));
        if let (Some(number), Statement(Some(statement))) = (number, statement) {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.entry(number).or_default().push(statement);
        }
    }
}

struct Number(Option<u64>);

impl Visit for Number {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "number" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

struct Statement(Option<String>);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
