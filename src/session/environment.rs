//! Configuration of sessions from environment variables.

use std::num::NonZeroU32;
use std::time::Duration;

use super::config::{SessionsBuilder, Unchecked};
use super::cookie::{MAX_AGE_LIMIT_SECONDS, SameSite};
use super::setting::{SetLifetime, Setting, SettingSource};
use super::store::{Assurance, SessionLimit};
use super::ticket::Strategy;
use crate::viewer::Viewer;

impl<V: Viewer> SessionsBuilder<V> {
    /// Applies the settings in environment variables with this prefix. A variable that is not set leaves its
    /// setting as it is. [`Key::from_env`](crate::Key::from_env) reads the key.
    ///
    /// With the prefix `APP_`:
    ///
    /// | variable | value | as |
    /// |---|---|---|
    /// | `APP_URL` | `https://app.example` | [`app_url`](Self::app_url) |
    /// | `APP_PROFILE` | `production` or `development` | [`development`](Self::development) |
    /// | `APP_SESSION_STRATEGY` | `hybrid`, `database` or `stateless` | [`strategy`](Self::strategy) |
    /// | `APP_SESSION_PRESET` | `aal1`, `aal2` or `aal3` | [`preset`](Self::preset) |
    /// | `APP_SESSION_IDLE_SECONDS`, `APP_SESSION_ABSOLUTE_SECONDS` | whole seconds | [`lifetime`](Self::lifetime) |
    /// | `APP_SESSION_REMEMBERED_IDLE_SECONDS`, `APP_SESSION_REMEMBERED_ABSOLUTE_SECONDS` | whole seconds, both or neither | [`remembered`](Self::remembered) |
    /// | `APP_SESSION_LIMIT` | `reject:3`, `evict-oldest:3` or `none` | [`session_limit`](Self::session_limit) |
    /// | `APP_SESSION_TOUCH_SECONDS` | whole seconds | [`touch_interval`](Self::touch_interval) |
    /// | `APP_SESSION_CACHE_BOUND_MILLISECONDS` | whole milliseconds | [`cache_bound`](Self::cache_bound) |
    /// | `APP_SESSION_CACHE_CAPACITY` | a whole number | [`cache_capacity`](Self::cache_capacity) |
    /// | `APP_SESSION_MAX_PAYLOAD_BYTES` | a whole number | [`max_payload_bytes`](Self::max_payload_bytes) |
    /// | `APP_SESSION_GROUPS_CLAIM` | the name of a claim | [`groups_claim`](Self::groups_claim) |
    /// | `APP_SESSION_COOKIE_NAME`, `.._PATH`, `.._DOMAIN` | as they stand in the cookie | [`CookieConfig`](super::CookieConfig) |
    /// | `APP_SESSION_COOKIE_SAME_SITE` | `lax`, `strict` or `none` | [`CookieConfig`](super::CookieConfig) |
    ///
    /// A value that cannot be parsed is an error of [`build`](Self::build) that names its variable, and never
    /// repeats the value. So is one that is out of range or contradicts another setting; for limits that are
    /// times the error includes the value, too. An empty value is an error as well: unset the variable
    /// instead. A variable that is not listed above, such as a misspelt one, is not detected;
    /// [`explain`](super::Sessions::explain) prints where each setting comes from.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # use clearance::session::MemorySessionStore;
    /// # use clearance::{Key, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait};
    /// # struct Member { id: i64 }
    /// # impl Viewer for Member {
    /// #     fn subject(&self) -> Subject { Subject::new(self.id) }
    /// # }
    /// # struct Members;
    /// # #[async_trait]
    /// # impl ViewerSource<Member> for Members {
    /// #     async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
    /// #         Ok(subject.parse().ok().map(|id| Member { id }))
    /// #     }
    /// # }
    /// let key = Key::from_env("APP_SESSION_KEY")?;
    /// let sessions = Sessions::builder(key, MemorySessionStore::new(), Members)
    ///     .env("APP_")
    ///     .build()?;
    /// println!("{}", sessions.explain());
    /// # Ok::<(), clearance::Error>(())
    /// ```
    pub fn env(mut self, prefix: &str) -> Self {
        self.settings.read(&Environment { prefix });
        self
    }
}

/// The environment variables with one prefix.
struct Environment<'p> {
    prefix: &'p str,
}

/// A parsed value, and the name of its variable.
struct Found<T> {
    value: T,
    variable: String,
}

impl<T> Found<T> {
    fn setting(self) -> Setting<T> {
        Setting::from(self.value, SettingSource::Environment(self.variable))
    }
}

impl Environment<'_> {
    fn variable(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Reads a variable and parses it with `read`. A value that it rejects is added to `wrong`, with the
    /// expected form.
    fn find<T>(
        &self,
        name: &str,
        wrong: &mut Vec<String>,
        should_be: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Found<T>> {
        let variable = self.variable(name);
        let value = match std::env::var(&variable) {
            Ok(text) => read(text.trim()),
            Err(std::env::VarError::NotPresent) => return None,
            Err(std::env::VarError::NotUnicode(_)) => None,
        };
        if value.is_none() {
            wrong.push(format!(
                "the environment variable `{variable}` must be {should_be}"
            ));
        }
        value.map(|value| Found { value, variable })
    }
}

impl Unchecked {
    fn read(&mut self, environment: &Environment<'_>) {
        let mut wrong = Vec::new();
        self.read_all(environment, &mut wrong);
        self.wrong.append(&mut wrong);
    }

    fn read_all(&mut self, environment: &Environment<'_>, wrong: &mut Vec<String>) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let url = "the application's address, such as `https://app.example`";
        if let Some(found) = environment.find("URL", wrong, url, text) {
            self.app_url = Some(found.setting());
        }
        let profile =
            environment.find(
                "PROFILE",
                wrong,
                "`production` or `development`",
                |word| match word {
                    "production" => Some(false),
                    "development" => Some(true),
                    _ => None,
                },
            );
        if let Some(found) = profile {
            self.development = found.setting();
        }
        let words = "`hybrid`, `database` or `stateless`";
        if let Some(found) = environment.find("SESSION_STRATEGY", wrong, words, Strategy::from_word)
        {
            self.strategy = found.setting();
        }
        let words = "`aal1`, `aal2` or `aal3`";
        if let Some(found) = environment.find("SESSION_PRESET", wrong, words, Assurance::from_word)
        {
            self.preset(found.value, Some(found.variable));
        }
        let something = "set to something, or not at all";
        if let Some(found) = environment.find("SESSION_GROUPS_CLAIM", wrong, something, text) {
            self.groups_claim = found.setting();
        }
        self.read_lifetimes(environment, wrong);
        self.read_cache(environment, wrong);
        self.read_cookie(environment, wrong);
    }

    fn read_lifetimes(&mut self, environment: &Environment<'_>, wrong: &mut Vec<String>) {
        let most = format!("a number of whole seconds, {MAX_AGE_LIMIT_SECONDS} (400 days) at most");
        let mut find = |name| environment.find(name, wrong, &most, seconds);
        let idle = find("SESSION_IDLE_SECONDS");
        let absolute = find("SESSION_ABSOLUTE_SECONDS");
        let remembered_idle = find("SESSION_REMEMBERED_IDLE_SECONDS");
        let remembered_absolute = find("SESSION_REMEMBERED_ABSOLUTE_SECONDS");
        if let Some(found) = find("SESSION_TOUCH_SECONDS") {
            self.touch = found.setting();
        }

        if let Some(found) = idle {
            self.lifetime.idle = found.setting();
        }
        if let Some(found) = absolute {
            self.lifetime.absolute = found.setting();
        }
        match (remembered_idle, remembered_absolute) {
            (None, None) => {}
            (Some(idle), Some(absolute)) => {
                self.remembered = Some(SetLifetime {
                    idle: idle.setting(),
                    absolute: absolute.setting(),
                });
            }
            (Some(_), None) | (None, Some(_)) => wrong.push(format!(
                "the environment variables `{}` and `{}` must both be set, or neither",
                environment.variable("SESSION_REMEMBERED_IDLE_SECONDS"),
                environment.variable("SESSION_REMEMBERED_ABSOLUTE_SECONDS"),
            )),
        }
        let words = "`reject:` or `evict-oldest:` and a number from 1 to 4294967295, or `none`";
        if let Some(found) = environment.find("SESSION_LIMIT", wrong, words, limit) {
            self.most = found.setting();
        }
    }

    fn read_cache(&mut self, environment: &Environment<'_>, wrong: &mut Vec<String>) {
        let name = "SESSION_CACHE_BOUND_MILLISECONDS";
        let most = format!(
            "a number of whole milliseconds, {} (400 days) at most",
            MAX_AGE_LIMIT_SECONDS * 1000
        );
        let bound = environment.find(name, wrong, &most, |text| {
            text.parse().ok().map(Duration::from_millis)
        });
        if let Some(found) = bound {
            self.bound = found.setting();
        }
        let number = format!("a whole number, {} at most", u64::MAX);
        let capacity = environment.find("SESSION_CACHE_CAPACITY", wrong, &number, |text| {
            text.parse().ok()
        });
        if let Some(found) = capacity {
            self.capacity = found.setting();
        }
        let number = format!("a whole number, {} at most", usize::MAX);
        let payload = environment.find("SESSION_MAX_PAYLOAD_BYTES", wrong, &number, |text| {
            text.parse().ok()
        });
        if let Some(found) = payload {
            self.payload = found.setting();
        }
    }

    fn read_cookie(&mut self, environment: &Environment<'_>, wrong: &mut Vec<String>) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut find =
            |name| environment.find(name, wrong, "set to something, or not at all", text);
        let name = find("SESSION_COOKIE_NAME");
        let path = find("SESSION_COOKIE_PATH");
        let domain = find("SESSION_COOKIE_DOMAIN");
        let words = "`lax`, `strict` or `none`";
        let same_site = environment.find(
            "SESSION_COOKIE_SAME_SITE",
            wrong,
            words,
            |word| match word {
                "lax" => Some(SameSite::Lax),
                "strict" => Some(SameSite::Strict),
                "none" => Some(SameSite::None),
                _ => None,
            },
        );
        let variables = &mut self.cookie_variables;
        let mut note = |what: &str, variable: &str| {
            variables.push(format!("cookie {what} from `{variable}`"));
        };
        let mut cookie = std::mem::take(&mut self.cookie);
        if let Some(found) = name {
            note("name", &found.variable);
            cookie = cookie.name(found.value);
        }
        if let Some(found) = path {
            note("path", &found.variable);
            cookie = cookie.path(found.value);
        }
        if let Some(found) = domain {
            note("domain", &found.variable);
            cookie = cookie.domain(found.value);
        }
        if let Some(found) = same_site {
            note("`SameSite`", &found.variable);
            cookie = cookie.same_site(found.value);
        }
        self.cookie = cookie;
    }
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

/// Parses a session limit; `none` means unlimited.
fn limit(text: &str) -> Option<Option<SessionLimit>> {
    if text == "none" {
        return Some(None);
    }
    let (how, most) = text.split_once(':')?;
    let most: NonZeroU32 = most.parse().ok()?;
    match how {
        "reject" => Some(Some(SessionLimit::Reject(most))),
        "evict-oldest" => Some(Some(SessionLimit::EvictOldest(most))),
        _ => None,
    }
}
