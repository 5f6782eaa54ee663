//! One setting of sessions, with its source, and the checks of several together.

use std::fmt;
use std::time::Duration;

use super::cookie::MAX_AGE_LIMIT_SECONDS;
use super::lifetime::{Lifetime, Limits, delta};
use crate::error::{Error, Result};

/// A setting: its value, and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) source: SettingSource,
}

/// The source of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SettingSource {
    /// The default of the library.
    Default,
    /// A call in the program.
    Code,
    /// A preset that the program chose, or this environment variable.
    Preset(&'static str, Option<String>),
    /// This environment variable.
    Environment(String),
}

impl<T> Setting<T> {
    pub(super) const fn default_of(value: T) -> Self {
        Self {
            value,
            source: SettingSource::Default,
        }
    }

    pub(super) const fn code(value: T) -> Self {
        Self::from(value, SettingSource::Code)
    }

    pub(super) const fn from(value: T, source: SettingSource) -> Self {
        Self { value, source }
    }

    pub(super) const fn is_default(&self) -> bool {
        matches!(self.source, SettingSource::Default)
    }

    /// Describes the setting by this name, and its source; without its value, which may be anything.
    pub(super) fn named(&self, name: &str) -> String {
        match &self.source {
            source @ (SettingSource::Default | SettingSource::Preset(..)) => {
                format!("{name} by {source}")
            }
            source @ (SettingSource::Code | SettingSource::Environment(_)) => {
                format!("{name} {source}")
            }
        }
    }
}

impl Setting<Duration> {
    /// Describes the setting with its value.
    pub(super) fn timed(&self, name: &str) -> String {
        self.named(&format!("{name} of {}", seconds(self.value)))
    }
}

/// Builds the error of settings that are valid by themselves, but not together; `concerned` describes them.
pub(super) fn refused(advice: &str, concerned: &[String]) -> Error {
    Error::configuration(format!("{advice} ({})", concerned.join(", ")))
}

/// A lifetime whose two timeouts may have different sources.
pub(super) struct SetLifetime {
    pub(super) idle: Setting<Duration>,
    pub(super) absolute: Setting<Duration>,
}

impl SetLifetime {
    pub(super) fn from(lifetime: Lifetime, source: SettingSource) -> Self {
        Self {
            idle: Setting::from(lifetime.idle_limit(), source.clone()),
            absolute: Setting::from(lifetime.absolute_limit(), source),
        }
    }

    pub(super) const fn value(&self) -> Lifetime {
        Lifetime::sliding(self.idle.value, self.absolute.value)
    }

    /// Checks that a session can live, and that browsers keep its cookie for as long. `which` goes before the
    /// names of these limits.
    pub(super) fn check(
        &self,
        which: &str,
        touch: &Setting<Duration>,
        bound: &Setting<Duration>,
    ) -> Result<Limits> {
        let longest = Duration::from_secs(MAX_AGE_LIMIT_SECONDS.unsigned_abs());
        let (idle, absolute) = (self.idle.value, self.absolute.value);
        let idle_limit = self.idle.timed(&format!("{which}idle limit"));
        let absolute_limit = self.absolute.timed(&format!("{which}absolute limit"));
        let (touches, caches) = (touch.timed("touch interval"), bound.timed("cache bound"));
        let too_long: Vec<_> = [
            (idle, &idle_limit),
            (absolute, &absolute_limit),
            (touch.value, &touches),
            (bound.value, &caches),
        ]
        .into_iter()
        .filter(|(limit, _)| *limit > longest)
        .map(|(_, named)| named.clone())
        .collect();
        if !too_long.is_empty() {
            return Err(refused(
                "a session's limits must be at most 400 days, because browsers keep no cookie longer",
                &too_long,
            ));
        }
        if absolute < Duration::from_secs(1) || idle.is_zero() {
            return Err(refused(
                "a session must live: the idle limit must be above zero and the absolute limit a second or more",
                &[idle_limit, absolute_limit],
            ));
        }
        if idle > absolute {
            return Err(refused(
                "the idle limit is longer than the absolute limit, so it would never apply: make it the shorter one",
                &[idle_limit, absolute_limit],
            ));
        }
        if touch.value + bound.value >= idle {
            return Err(refused(
                "a session in use would end as idle: the touch interval and the cache bound together must be shorter than the idle limit",
                &[idle_limit, touches, caches],
            ));
        }
        Ok(Limits {
            idle: delta(idle)?,
            absolute: delta(absolute)?,
        })
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Code => f.write_str("set by the program"),
            Self::Preset(name, None) => write!(f, "preset {name}"),
            Self::Preset(name, Some(variable)) => write!(f, "preset {name} from `{variable}`"),
            Self::Environment(variable) => write!(f, "from `{variable}`"),
        }
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{}.{:03} s", duration.as_secs(), duration.subsec_millis())
}
