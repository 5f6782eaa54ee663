//! When the server could answer, and what was answered.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clearance::Error;

use crate::{CACHE_BOUND, TASKS};

/// How many wrong answers are told one by one.
const MOST_TOLD: usize = 20;

/// What is known of the server. The lane says each word before it does what the word says, except
/// `down`, which it says after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Up,
    /// It is being killed.
    Breaking,
    Down,
    /// It is started again, and not everybody has been answered.
    Coming,
}

#[derive(Clone, Copy)]
pub(crate) struct Moment {
    phase: Phase,
    /// How often the server was started again.
    pub(crate) generation: u64,
    at: Instant,
}

/// Where the answer to a call may come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Store,
    StoreOrCache,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    Refused,
    Unavailable,
    Contended,
    Other,
}

impl Outcome {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Answered, "answered"),
        (Self::Refused, "refused"),
        (Self::Unavailable, "unavailable"),
        (Self::Contended, "gave way"),
        (Self::Other, "another error"),
    ];

    fn of(error: Option<&Error>) -> Self {
        match error {
            None => Self::Answered,
            Some(error) if error.is_unauthenticated() => Self::Refused,
            Some(error) if error.is_retryable() => Self::Contended,
            Some(error) if error.is_unavailable() => Self::Unavailable,
            Some(_) => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What a call fell into, from its beginning to its end.
#[derive(Clone, Copy)]
enum Span {
    Up,
    Down,
    Across,
}

impl Span {
    const ALL: [&'static str; 3] = ["up", "down", "across"];
}

#[derive(Default, Clone, Copy)]
struct Counts {
    outcomes: [u64; 5],
    slowest: Option<(Duration, &'static str, Outcome)>,
}

impl Counts {
    fn told(&self) -> String {
        let outcomes = Outcome::ALL.iter().zip(self.outcomes);
        let outcomes: Vec<String> = outcomes
            .map(|((_, word), count)| format!("{count} {word}"))
            .collect();
        let slowest = self.slowest.map(|(took, operation, outcome)| {
            format!("; slowest {took:.2?} ({operation}, {})", outcome.as_str())
        });
        format!("{}{}", outcomes.join(", "), slowest.unwrap_or_default())
    }
}

/// What came of calls that only look a session up, and of those that change one.
#[derive(Default)]
pub(crate) struct Calls {
    lookups: [u64; 5],
    changes: [u64; 5],
}

impl Calls {
    /// Those that only look a session up and were not answered.
    pub(crate) const fn lookups_unavailable(&self) -> u64 {
        self.lookups[Outcome::Unavailable as usize] + self.lookups[Outcome::Contended as usize]
    }

    pub(crate) const fn changes_answered(&self) -> u64 {
        self.changes[Outcome::Answered as usize]
    }

    pub(crate) const fn changes_unavailable(&self) -> u64 {
        self.changes[Outcome::Unavailable as usize] + self.changes[Outcome::Contended as usize]
    }
}

pub(crate) struct Tally(Mutex<State>);

struct State {
    phase: Phase,
    generation: u64,
    /// When this phase began.
    since: Instant,
    was_down: Duration,
    server_answered: Option<Duration>,
    first_answer: Option<Duration>,
    last_task: Option<Duration>,
    tasks: HashSet<usize>,
    spans: [Counts; 3],
    of_kind: Calls,
    calls: u64,
    wrong: Vec<String>,
    wrong_count: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Up,
            generation: 0,
            since: Instant::now(),
            was_down: Duration::ZERO,
            server_answered: None,
            first_answer: None,
            last_task: None,
            tasks: HashSet::new(),
            spans: [Counts::default(); 3],
            of_kind: Calls::default(),
            calls: 0,
            wrong: Vec::new(),
            wrong_count: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        let state = self.lock();
        Moment {
            phase: state.phase,
            generation: state.generation,
            at: Instant::now(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        if phase == Phase::Coming {
            state.generation += 1;
            state.was_down = state.since.elapsed();
            (state.server_answered, state.first_answer, state.last_task) = (None, None, None);
            state.tasks.clear();
        }
        state.phase = phase;
        state.since = Instant::now();
    }

    /// Its own client was answered by the server.
    pub(crate) fn server_answered(&self) {
        let mut state = self.lock();
        state.server_answered = Some(state.since.elapsed());
    }

    /// Whether every task was answered since the server was started again.
    pub(crate) fn is_recovered(&self) -> bool {
        self.lock().last_task.is_some()
    }

    pub(crate) fn wrong(&self, what: String) {
        self.lock().note(what);
    }

    /// Takes note of a call that ended.
    pub(crate) fn record(
        &self,
        task: usize,
        operation: &'static str,
        source: Source,
        begun: Moment,
        error: Option<&Error>,
    ) {
        let outcome = Outcome::of(error);
        let mut state = self.lock();
        let span = state.span(source, begun);
        let took = begun.at.elapsed();
        state.calls += 1;
        let of_kind = match operation {
            "verify" | "verify current" => &mut state.of_kind.lookups,
            _ => &mut state.of_kind.changes,
        };
        of_kind[outcome as usize] += 1;
        let counts = &mut state.spans[span as usize];
        counts.outcomes[outcome as usize] += 1;
        if counts.slowest.is_none_or(|(slowest, _, _)| took > slowest) {
            counts.slowest = Some((took, operation, outcome));
        }
        if outcome == Outcome::Other {
            state.note(format!("{operation}: {error:?}"));
        }
        if matches!(span, Span::Down)
            && !matches!(outcome, Outcome::Unavailable | Outcome::Contended)
        {
            state.note(format!(
                "{operation}: {} while the server was down",
                outcome.as_str()
            ));
        }
        if state.phase == Phase::Coming && outcome == Outcome::Answered {
            let after = state.since.elapsed();
            state.first_answer.get_or_insert(after);
            if state.tasks.insert(task) && state.tasks.len() == TASKS {
                state.last_task = Some(after);
            }
        }
    }

    pub(crate) fn hung(&self, operation: &'static str, limit: Duration) {
        self.wrong(format!("{operation}: no answer within {limit:?}"));
    }

    /// Prints what was counted while the server was so, and hands it back.
    pub(crate) fn report_calls(&self, server: &str) -> Calls {
        let mut state = self.lock();
        let [up, ..] = std::mem::take(&mut state.spans);
        println!("{server}\n  calls up      {}", up.told());
        std::mem::take(&mut state.of_kind)
    }

    /// Prints what was counted since the last time.
    pub(crate) fn report(&self, kill: u64) {
        let mut state = self.lock();
        println!("kill {kill}, down for {:.1?}", state.was_down);
        for (name, counts) in Span::ALL.iter().zip(std::mem::take(&mut state.spans)) {
            println!("  calls {name:6}  {}", counts.told());
        }
        let after = |time: Option<Duration>| match time {
            Some(time) => format!("{time:.2?}"),
            None => "never".to_owned(),
        };
        println!(
            "  recovery      server to its own client after {}, first call after {}, every task after {}",
            after(state.server_answered),
            after(state.first_answer),
            after(state.last_task)
        );
    }

    /// Prints what was wrong; tells whether nothing was.
    pub(crate) fn end(&self) -> bool {
        let state = self.lock();
        println!("{} calls, {} wrong answers", state.calls, state.wrong_count);
        for wrong in &state.wrong {
            println!("  {wrong}");
        }
        state.wrong_count == 0
    }
}

impl State {
    fn note(&mut self, what: String) {
        self.wrong_count += 1;
        if self.wrong.len() < MOST_TOLD {
            self.wrong.push(what);
        }
    }

    /// A call was down when no server was there from its beginning to its end, and no answer of the
    /// cache was young enough.
    fn span(&self, source: Source, begun: Moment) -> Span {
        if begun.generation != self.generation || begun.phase != self.phase {
            return Span::Across;
        }
        match self.phase {
            Phase::Up => Span::Up,
            Phase::Breaking | Phase::Coming => Span::Across,
            Phase::Down => match source {
                Source::Store => Span::Down,
                Source::StoreOrCache if begun.at >= self.since + CACHE_BOUND => Span::Down,
                Source::StoreOrCache => Span::Across,
            },
        }
    }
}
