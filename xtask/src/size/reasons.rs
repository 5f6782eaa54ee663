//! The reasons for the crates that only a program with the library has.

/// Each crate by its name, with the reason.
pub(super) const REASONS: [(&str, &str); 17] = [
    (
        "async-stream",
        "streams of rows, which borrow the connection that they own",
    ),
    ("async-stream-impl", "of `async-stream`"),
    (
        "async-trait",
        "the traits that an application implements and the library keeps behind a pointer: stores, viewer sources",
    ),
    ("clearance", "the library itself"),
    ("clearance-derive", "its derives and attributes"),
    (
        "cookie",
        "cookies are written by a parser's own writer, which escapes nothing by hand",
    ),
    ("deranged", "of `time`"),
    ("num-conv", "of `time`"),
    ("powerfmt", "of `time`"),
    (
        "sea-query",
        "the texts of statements in the dialect of each engine",
    ),
    ("sea-query-sqlx", "the values of `sea-query`, bound by sqlx"),
    (
        "secrecy",
        "values of secret columns are zeroed, and no `Debug` shows them",
    ),
    (
        "siphasher",
        "the keyed hash by which a cookie is found in the cache (decision 79)",
    ),
    (
        "subtle",
        "comparisons of secrets take the same time wherever they differ",
    ),
    ("time", "of `cookie`: the date in `Expires`"),
    ("time-core", "of `time`"),
    ("time-macros", "of `time`"),
];
