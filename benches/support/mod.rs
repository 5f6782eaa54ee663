//! Two ways to do one thing, measured in turn within one run, so that whatever else the machine
//! does falls on both. What counts is the ratio of each round; times differ between machines.

use std::fmt;
use std::time::Duration;

/// A comparison in the making: what is measured, and what it may cost.
pub struct Comparison {
    /// What is measured.
    pub name: &'static str,
    /// What the ratio may be at most; none where it is only reported.
    pub target: Option<f64>,
    /// Which ratio that is.
    pub judged: Judged,
    /// How many pairs are measured.
    pub rounds: usize,
    /// How many operations one sample holds; times are shown for one of them.
    pub operations: u32,
}

/// Which ratio of a comparison is held against its target.
#[allow(dead_code, reason = "no benchmark is judged in all of these ways")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The median of the ratios of all rounds.
    Median,
    /// That of the best rounds of each, where other work of a server would be most of the rest.
    Best,
    /// The median of the library's own microseconds, where by hand is only reported beside it.
    Micros,
    /// The nanoseconds that the library takes more than by hand, by the best rounds of both: in a ratio
    /// a machine that is slow for a while stands on both sides, in a time it does not.
    Added,
}

/// What a comparison came to.
struct Outcome {
    name: &'static str,
    /// Seconds for one operation.
    library: f64,
    by_hand: f64,
    median: f64,
    best: f64,
    /// Seconds that one operation takes more, by the best rounds.
    added: f64,
    target: Option<f64>,
    judged: Judged,
}

/// The comparisons of one benchmark, shown as a table.
#[derive(Default)]
pub struct Report {
    outcomes: Vec<Outcome>,
}

/// Whether this is `cargo bench`. Under `cargo test --benches` each pair is run once, to show that
/// it works.
pub fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

impl Report {
    /// Measures `library` and `by_hand` in turn. Each does what it needs to, and gives the time of
    /// the part that counts.
    pub fn compare(
        &mut self,
        comparison: Comparison,
        mut library: impl FnMut() -> Duration,
        mut by_hand: impl FnMut() -> Duration,
    ) {
        let rounds = if is_measured() { comparison.rounds } else { 1 };
        if is_measured() {
            // Caches, branch predictors and the allocator settle.
            for _ in 0..rounds.div_ceil(10) {
                library();
                by_hand();
            }
        }
        let samples: Vec<(f64, f64)> = (0..rounds)
            .map(|round| {
                // Whoever runs second finds warmer or colder caches, so that changes hands too.
                if round % 2 == 0 {
                    let library = library().as_secs_f64();
                    (library, by_hand().as_secs_f64())
                } else {
                    let by_hand = by_hand().as_secs_f64();
                    (library().as_secs_f64(), by_hand)
                }
            })
            .collect();
        let ours: Vec<_> = samples.iter().map(|(library, _)| *library).collect();
        let theirs: Vec<_> = samples.iter().map(|(_, by_hand)| *by_hand).collect();
        let ratios: Vec<_> = ours
            .iter()
            .zip(&theirs)
            .map(|(one, other)| one / other)
            .collect();
        let operations = f64::from(comparison.operations);
        let (our_best, their_best) = (best(&ours), best(&theirs));
        self.outcomes.push(Outcome {
            name: comparison.name,
            median: median(&ratios),
            best: our_best / their_best,
            added: (our_best - their_best) / operations,
            library: median(&ours) / operations,
            by_hand: median(&theirs) / operations,
            target: comparison.target,
            judged: comparison.judged,
        });
    }
}

impl Report {
    /// How many operations a second each way does.
    #[allow(dead_code, reason = "few benchmarks are about requests")]
    pub fn rates(&self) -> String {
        let rate = |outcome: &Outcome| {
            let (ours, theirs) = (1.0 / outcome.library, 1.0 / outcome.by_hand);
            format!(
                "{}: {ours:.0} a second, {theirs:.0} by hand\n",
                outcome.name
            )
        };
        self.outcomes.iter().map(rate).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<46} {:>11} {:>11} {:>7} {:>7} {:>7}  verdict",
            "", "clearance", "by hand", "median", "best", "target"
        )?;
        for outcome in &self.outcomes {
            let judged = match outcome.judged {
                Judged::Median => outcome.median,
                Judged::Best => outcome.best,
                Judged::Micros => outcome.library * 1e6,
                Judged::Added => outcome.added * 1e9,
            };
            let unit = match outcome.judged {
                Judged::Median | Judged::Best => "",
                Judged::Micros => " µs",
                Judged::Added => " ns",
            };
            let (target, verdict) = match outcome.target {
                Some(target) if judged <= target => (format!("{target:.2}{unit}"), "met"),
                Some(target) => (format!("{target:.2}{unit}"), "NOT MET"),
                None => ("-".to_owned(), "reported"),
            };
            let verdict = match outcome.judged {
                Judged::Added => format!("{verdict}: {judged:.0}{unit} more"),
                _ => verdict.to_owned(),
            };
            writeln!(
                f,
                "{:<46} {:>11} {:>11} {:>7.3} {:>7.3} {target:>7}  {verdict}",
                outcome.name,
                shown(outcome.library),
                shown(outcome.by_hand),
                outcome.median,
                outcome.best,
            )?;
        }
        Ok(())
    }
}

/// The middle one of some values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn shown(seconds: f64) -> String {
    if seconds < 1e-6 {
        format!("{:.1} ns", seconds * 1e9)
    } else if seconds < 1e-3 {
        format!("{:.2} µs", seconds * 1e6)
    } else {
        format!("{:.2} ms", seconds * 1e3)
    }
}
