//! The effective settings of sessions, each with its source, and their description.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;

use super::lifetime::{Lifetime, Limits};
use super::setting::{SetLifetime, Setting, seconds};
use super::store::SessionLimit;
use super::ticket::Strategy;

/// The effective settings of sessions.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) ordinary: Limits,
    /// The timeouts of sessions that the browser keeps, if they differ.
    pub(crate) remembered: Option<Limits>,
    pub(crate) touch: TimeDelta,
    pub(crate) bound: TimeDelta,
    pub(crate) most: Option<SessionLimit>,
    /// The maximum size of claims, in bytes of JSON.
    pub(crate) payload: usize,
    /// The claims that a view shows.
    pub(crate) shown: Vec<String>,
    /// The name of the claim that stores groups.
    pub(crate) groups_claim: String,
    /// Every effective value and its source, one per line.
    pub(super) lines: String,
}

impl Settings {
    pub(crate) fn limits(&self, persistent: bool) -> Limits {
        match self.remembered {
            Some(remembered) if persistent => remembered,
            Some(_) | None => self.ordinary,
        }
    }

    /// Returns whether browsers keep a session whose sign-in does not say.
    pub(crate) const fn remembers_by_default(&self) -> bool {
        self.remembered.is_none()
    }
}

/// The description of every effective value, its source and its consequences, one per line.
pub(super) struct Described<'a> {
    pub(super) app_url: &'a Setting<String>,
    pub(super) development: &'a Setting<bool>,
    pub(super) strategy: &'a Setting<Strategy>,
    pub(super) cookie: &'a str,
    pub(super) lifetime: &'a SetLifetime,
    pub(super) remembered: Option<&'a SetLifetime>,
    pub(super) touch: &'a Setting<Duration>,
    pub(super) bound: &'a Setting<Duration>,
    /// The bound while the notices of other nodes arrive, where there is a channel to them.
    pub(super) connected: Option<&'a Setting<Duration>>,
    pub(super) capacity: &'a Setting<u64>,
    pub(super) most: &'a Setting<Option<SessionLimit>>,
    pub(super) payload: &'a Setting<usize>,
    pub(super) groups_claim: &'a Setting<String>,
    pub(super) within_statements: bool,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn line<T>(
            f: &mut fmt::Formatter<'_>,
            name: &str,
            value: impl fmt::Display,
            setting: &Setting<T>,
        ) -> fmt::Result {
            writeln!(f, "{name}: {value} ({})", setting.source)
        }

        line(f, "application", &self.app_url.value, self.app_url)?;
        if self.development.value {
            line(f, "profile", "development", self.development)?;
        }
        line(f, "strategy", self.strategy.value.as_str(), self.strategy)?;
        writeln!(f, "{}", self.cookie)?;
        limits(f, "", self.lifetime)?;
        if let Some(remembered) = self.remembered {
            limits(f, "remembered, ", remembered)?;
        }
        let stateless = self.strategy.value == Strategy::Stateless;
        if stateless {
            let payload = format_args!("{} bytes of JSON at most", self.payload.value);
            line(f, "token", payload, self.payload)?;
        }
        match self.most.value {
            None => line(f, "sessions of a subject", "any number", self.most)?,
            Some(SessionLimit::Reject(most)) => {
                let most = format_args!("{most} at most, one more sign-in is refused");
                line(f, "sessions of a subject", most, self.most)?;
            }
            Some(SessionLimit::EvictOldest(most)) => {
                let most = format_args!("{most} at most, one more sign-in ends the oldest");
                line(f, "sessions of a subject", most, self.most)?;
            }
        }
        let groups = format_args!("claim `{}`", self.groups_claim.value);
        line(f, "groups", groups, self.groups_claim)?;
        line(f, "touch interval", seconds(self.touch.value), self.touch)?;
        if self.bound.value.is_zero() {
            let every = "the store and the viewer source are queried in every request";
            line(f, "verified", every, self.bound)?;
        } else {
            let bound = seconds(self.bound.value);
            let bound = format_args!(
                "at most {bound} old; a change through this library on this node takes effect at once"
            );
            line(f, "verified", bound, self.bound)?;
            let capacity = format_args!("{} sessions", self.capacity.value);
            line(f, "cache", capacity, self.capacity)?;
        }
        match self.connected {
            None => writeln!(
                f,
                "other nodes: no channel; their changes take effect within the bound"
            )?,
            Some(connected) => {
                let told = format_args!(
                    "notified at once; at most {} old while this node receives their notices, at most {} while it does not",
                    seconds(connected.value),
                    seconds(self.bound.value),
                );
                line(f, "other nodes", told, connected)?;
            }
        }
        writeln!(
            f,
            "current: the store and the viewer source are queried in every call"
        )?;
        writeln!(
            f,
            "writes: {}",
            match (self.within_statements, stateless) {
                (true, false) =>
                    "the session is checked within the statement, in the sessions' own database",
                (true, true) =>
                    "a revocation waits for the statement, in the sessions' own database",
                (false, _) => "the session is read before the statement",
            }
        )
    }
}

fn limits(f: &mut fmt::Formatter<'_>, which: &str, lifetime: &SetLifetime) -> fmt::Result {
    let SetLifetime { idle, absolute } = lifetime;
    let limit = |limit: &Setting<Duration>| format!("{} ({})", seconds(limit.value), limit.source);
    writeln!(f, "{which}idle limit: {}", limit(idle))?;
    writeln!(f, "{which}absolute limit: {}", limit(absolute))?;
    writeln!(f, "{which}limits: {}", assurance(lifetime.value()))
}

/// Returns the highest level whose limits these timeouts meet ([NIST SP
/// 800-63B-4](https://pages.nist.gov/800-63-4/sp800-63b.html)).
fn assurance(lifetime: Lifetime) -> &'static str {
    const HOUR: Duration = Duration::from_secs(60 * 60);

    let (idle, absolute) = (lifetime.idle_limit(), lifetime.absolute_limit());
    if absolute <= 12 * HOUR && idle <= HOUR / 4 {
        "meets the session limits of NIST SP 800-63B-4 AAL3"
    } else if absolute <= 24 * HOUR && idle <= HOUR {
        "meets the session limits of NIST SP 800-63B-4 AAL2"
    } else if absolute <= 30 * 24 * HOUR {
        "meets the session limits of NIST SP 800-63B-4 AAL1"
    } else {
        "longer than the session limits of NIST SP 800-63B-4 AAL1"
    }
}
