//! What it costs to compile `derive(Dto)` on a struct of 50 fields, beside `derive(Serialize)` on
//! the same struct and beside no derive at all.
//!
//! Three small packages are generated that depend on the same built crates. Each round compiles
//! nothing but one of them after the other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that fails has nothing to report"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The fields of an employee in a directory: name, type, and whether a rule guards it.
const FIELDS: [(&str, &str, Rule); 50] = [
    ("id", "Uuid", Rule::None),
    ("username", "String", Rule::None),
    ("display_name", "String", Rule::None),
    ("given_name", "String", Rule::None),
    ("family_name", "String", Rule::None),
    ("pronouns", "Option<String>", Rule::None),
    ("job_title", "String", Rule::None),
    ("department", "String", Rule::None),
    ("division", "Option<String>", Rule::None),
    ("team", "Option<String>", Rule::None),
    ("manager_id", "Option<Uuid>", Rule::None),
    ("office", "Option<String>", Rule::None),
    ("floor", "Option<i32>", Rule::None),
    ("desk", "Option<String>", Rule::None),
    ("time_zone", "String", Rule::None),
    ("locale", "String", Rule::None),
    ("work_email", "String", Rule::None),
    ("avatar_url", "Option<String>", Rule::None),
    ("biography", "Option<String>", Rule::None),
    ("website", "Option<String>", Rule::None),
    ("active", "bool", Rule::None),
    ("remote", "bool", Rule::None),
    ("contractor", "bool", Rule::None),
    ("joined_at", "DateTime<Utc>", Rule::None),
    ("updated_at", "DateTime<Utc>", Rule::None),
    ("left_at", "Option<DateTime<Utc>>", Rule::None),
    ("badge_number", "i64", Rule::None),
    ("cost_center", "i64", Rule::None),
    ("seat_count", "i32", Rule::None),
    ("last_seen_at", "Option<DateTime<Utc>>", Rule::None),
    ("salary", "i64", Rule::Viewer),
    ("bonus", "Option<i64>", Rule::Viewer),
    ("currency", "String", Rule::Viewer),
    ("tax_code", "Option<String>", Rule::Viewer),
    ("national_id", "String", Rule::Viewer),
    ("bank_account", "Option<String>", Rule::Viewer),
    ("contract_kind", "String", Rule::Viewer),
    ("notice_days", "i32", Rule::Viewer),
    ("review", "Option<String>", Rule::Viewer),
    ("review_score", "Option<i32>", Rule::Viewer),
    ("phone", "Option<String>", Rule::Row),
    ("mobile", "Option<String>", Rule::Row),
    ("home_address", "String", Rule::Row),
    ("postal_code", "String", Rule::Row),
    ("city", "String", Rule::Row),
    ("country", "String", Rule::Row),
    ("birthday", "Option<String>", Rule::Row),
    ("emergency_contact", "Option<String>", Rule::Row),
    ("emergency_phone", "Option<String>", Rule::Row),
    ("dietary_needs", "Option<String>", Rule::Row),
];

const ROUNDS: usize = 11;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    None,
    Viewer,
    Row,
}

#[derive(Clone, Copy)]
enum Derive {
    Nothing,
    Serialize,
    Dto,
}

impl Derive {
    const ALL: [Self; 3] = [Self::Nothing, Self::Serialize, Self::Dto];

    const fn package(self) -> &'static str {
        match self {
            Self::Nothing => "no-derive",
            Self::Serialize => "derive-serialize",
            Self::Dto => "derive-dto",
        }
    }

    fn source(self) -> String {
        let mut source = String::from("use chrono::{DateTime, Utc};\nuse uuid::Uuid;\n");
        source.push_str(match self {
            Self::Nothing => "use clearance::Field;\n\npub struct Profile {\n",
            // Serde has no word for hidden, so the same place is taken by an `Option`.
            Self::Serialize => {
                "use Option as Field;\n\n#[derive(serde::Serialize)]\npub struct Profile {\n"
            }
            Self::Dto => {
                "use clearance::Field;\nuse directory::{Employee, Role};\n\n#[derive(clearance::Dto)]\n#[dto(entity = Employee, default = visible)]\npub struct Profile {\n"
            }
        });
        for (name, ty, rule) in FIELDS {
            let attribute = match (self, rule) {
                (Self::Nothing, _) | (_, Rule::None) => "",
                (Self::Serialize, _) => "    #[serde(skip_serializing_if = \"Option::is_none\")]\n",
                (Self::Dto, Rule::Viewer) => "    #[visible_if(viewer.role >= Role::Admin)]\n",
                (Self::Dto, Rule::Row) => {
                    "    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]\n"
                }
            };
            let ty = if rule == Rule::None {
                ty.to_owned()
            } else {
                format!("Field<{ty}>")
            };
            writeln!(source, "{attribute}    pub {name}: {ty},").unwrap();
        }
        source.push_str("}\n");
        source
    }
}

/// The entity and the viewer, which are compiled once.
fn directory() -> String {
    let mut source = String::from(
        "use chrono::{DateTime, Utc};\nuse clearance::{Entity, Roles, Viewer};\nuse uuid::Uuid;\n\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]\npub enum Role {\n    Member,\n    Admin,\n}\n\n#[derive(Clone, Viewer)]\npub struct Member {\n    pub id: Uuid,\n    pub role: Role,\n    pub team: Option<String>,\n}\n\n#[derive(Entity)]\n#[entity(table = \"employees\", viewer = Member, rows = open, reason = \"everybody may open the directory\")]\npub struct Employee {\n",
    );
    for (index, (name, ty, _)) in FIELDS.iter().enumerate() {
        let key = if index == 0 {
            "    #[entity(key)]\n"
        } else {
            ""
        };
        writeln!(source, "{key}    pub {name}: {ty},").unwrap();
    }
    source.push_str("}\n");
    source
}

fn manifest(package: &str, root: &Path, derive: Option<Derive>) -> String {
    let directory = match derive {
        Some(_) => "directory = { path = \"../directory\" }\n",
        None => "",
    };
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\nchrono = \"0.4\"\nclearance = {{ path = {root:?} }}\n{directory}serde = {{ version = \"1\", features = [\"derive\"] }}\nuuid = \"1\"\n"
    )
}

/// Writes a file only where it differs, so that what was compiled in an earlier run still holds.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == content) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn generate() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-time");
    let mut members = String::from("\"directory\"");
    for derive in Derive::ALL {
        write!(members, ", {:?}", derive.package()).unwrap();
    }
    write(
        &workspace.join("Cargo.toml"),
        &format!(
            "[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n[profile.dev]\ndebug = 0\nincremental = false\n"
        ),
    );
    // The same versions as everywhere, and nothing to be downloaded.
    if !workspace.join("Cargo.lock").exists() {
        fs::copy(root.join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    }
    write(
        &workspace.join("directory/Cargo.toml"),
        &manifest("directory", root, None),
    );
    write(&workspace.join("directory/src/lib.rs"), &directory());
    for derive in Derive::ALL {
        let package = workspace.join(derive.package());
        write(
            &package.join("Cargo.toml"),
            &manifest(derive.package(), root, Some(derive)),
        );
        write(&package.join("src/lib.rs"), &derive.source());
    }
    workspace
}

fn check(workspace: &Path, derive: Derive) -> Duration {
    // The time of the file is what tells cargo to compile it again.
    let source = workspace.join(derive.package()).join("src/lib.rs");
    fs::write(source, derive.source()).unwrap();
    let start = Instant::now();
    let output = Command::new(env!("CARGO"))
        .args([
            "check",
            "--quiet",
            "--offline",
            "--package",
            derive.package(),
        ])
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(workspace)
        .output()
        .unwrap();
    let elapsed = start.elapsed();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    elapsed
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let workspace = generate();
    for derive in Derive::ALL {
        check(&workspace, derive);
    }
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (derive, times) in Derive::ALL.into_iter().zip(&mut times) {
            times.push(check(&workspace, derive));
        }
    }
    let [nothing, serialize, dto] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_millis()
    });
    println!(
        "cargo check of one struct of 50 fields, median of {ROUNDS} interleaved rounds, cargo's own start included"
    );
    println!("no derive             {nothing:>5} ms");
    println!(
        "derive(Serialize)     {serialize:>5} ms, {} ms more than no derive",
        serialize.saturating_sub(nothing)
    );
    println!(
        "derive(Dto), 20 rules {dto:>5} ms, {} ms more than no derive (Serialize is part of it)",
        dto.saturating_sub(nothing)
    );
    println!();
}
