//! The review of a program's access matrix against the file beside its code: X7, DT-09.

use std::path::PathBuf;

use clearance::Result;
use clearance_matrix::{Matrix, MatrixBuilder, review};

use crate::matrix::{APP, json, sample, with_viewers};
use crate::support::*;

/// A crate of its own, with one file, and the reviewed matrix beside it.
struct Crate {
    _folder: tempfile::TempDir,
    src: PathBuf,
    reviewed: PathBuf,
}

const LISTED: &str = "
    #[derive(Dto)] struct Profile; #[derive(Debug, clearance::Dto)] struct Card;
    #[derive(Entity)] struct Person; #[cfg_attr(all(), derive(Entity))] struct Note;
    #[repository(viewer = Member)] impl People {}
    #[cfg(test)] mod tests { #[derive(Dto)] struct OnlyForTests; }
";

fn crate_of(source: &str, ending: &str) -> Crate {
    let folder = tempfile::tempdir().unwrap();
    let src = folder.path().join("src");
    std::fs::create_dir_all(src.join("deeper")).unwrap();
    std::fs::write(src.join("deeper/lib.rs"), source).unwrap();
    Crate {
        reviewed: folder.path().join(format!("access.{ending}")),
        src,
        _folder: folder,
    }
}

impl Crate {
    fn check(&self, writes: bool) -> Result<Matrix, String> {
        let sample = sample();
        self.check_of(with_viewers(Matrix::of(&APP), &sample), writes)
    }

    fn check_of(&self, matrix: MatrixBuilder<'_, Member>, writes: bool) -> Result<Matrix, String> {
        review(&APP, matrix)
            .source(&self.src)
            .file(&self.reviewed)
            .writing(writes)
            .check()
            .map_err(|unreviewed| unreviewed.to_string())
    }
}

#[test]
fn x7_dt_09_a_matrix_under_review_passes_until_it_changes() {
    for ending in ["md", "json", "html"] {
        let it = crate_of(LISTED, ending);
        let missing = it.check(false).unwrap_err();
        assert!(missing.contains("CLEARANCE_MATRIX=write"), "{missing}");
        it.check(true).unwrap();
        it.check(false).unwrap();

        let promoted = [admin(), editor(), editor()];
        let changed = it
            .check_of(with_viewers(Matrix::of(&APP), &promoted), false)
            .unwrap_err();
        assert!(changed.contains("CLEARANCE_MATRIX=write"), "{changed}");
        assert!(
            changed.contains("  - ") && changed.contains("  + "),
            "{changed}"
        );
        it.check_of(with_viewers(Matrix::of(&APP), &promoted), true)
            .unwrap();
        it.check_of(with_viewers(Matrix::of(&APP), &promoted), false)
            .unwrap();
        it.check(false).unwrap_err();
    }
}

#[test]
fn x7_the_difference_is_shown_under_its_heading() {
    let it = crate_of(LISTED, "md");
    it.check(true).unwrap();
    let text = std::fs::read_to_string(&it.reviewed).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("| `salary` | `viewer"))
        .unwrap();
    std::fs::write(&it.reviewed, text.replace(line, "| `salary` | visible |")).unwrap();
    let changed = it.check(false).unwrap_err();
    let shown: Vec<_> = changed.lines().skip(2).collect();
    assert_eq!(shown.len(), 3, "{changed}");
    assert_eq!(shown[0], "  ## DTO `Profile`");
    assert_eq!(shown[1], "  - | `salary` | visible |");
    assert!(
        shown[2].starts_with("  + | `salary` | `viewer.role"),
        "{changed}"
    );
}

#[test]
fn x7_a_rule_that_moves_to_another_line_is_no_change() {
    let it = crate_of(LISTED, "md");
    it.check(true).unwrap();
    let text = std::fs::read_to_string(&it.reviewed).unwrap();
    assert!(text.contains("matrix.rs:"));
    std::fs::write(&it.reviewed, text.replace("matrix.rs:", "matrix.rs:9")).unwrap();
    it.check(false).unwrap();
    std::fs::write(&it.reviewed, text.replace("matrix.rs:", "other.rs:")).unwrap();
    it.check(false).unwrap_err();
}

#[test]
fn x7_dt_09_what_app_does_not_list_fails_also_when_writing() {
    let forgotten = [
        (
            "#[derive(Dto)] struct Payslip;",
            "the DTO `Payslip` at src/deeper/lib.rs:6 is missing from `app!`\n  add it to `dtos: [.., Payslip]`",
        ),
        (
            "#[derive(clearance::Entity)] struct Payslip;",
            "the entity `Payslip` at",
        ),
        (
            "#[clearance::repository] impl Payslip {}",
            "add it to `repositories: [.., Payslip]`",
        ),
        // A second type of a listed name is a type of its own.
        (
            "mod other { #[derive(Dto)] struct Profile; }",
            "the DTO `Profile` at",
        ),
        (
            "#[derive(Debug, Patch)] struct EditPerson;",
            "the input type `EditPerson` at src/deeper/lib.rs:6 is missing from `app!`\n  add it to `inputs: [.., EditPerson]`, behind `dtos`",
        ),
        (
            "#[derive(clearance::Input)] struct NewPerson;",
            "the input type `NewPerson` at",
        ),
        (
            "fn inside() { #[derive(Dto)] struct Hidden; }",
            "the DTO `Hidden` at",
        ),
    ];
    for (source, message) in forgotten {
        let it = crate_of(&format!("{LISTED}{source}"), "md");
        for writes in [true, false] {
            let error = it.check(writes).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}

#[test]
fn x7_a_source_that_cannot_be_read_fails() {
    let it = crate_of("fn broken( {", "md");
    assert!(it.check(true).unwrap_err().contains("src/deeper/lib.rs"));
    let sample = sample();
    let nothing = review(&APP, with_viewers(Matrix::of(&APP), &sample)).check();
    assert!(nothing.unwrap_err().to_string().contains("call `source`"));
    let nowhere = review(&APP, with_viewers(Matrix::of(&APP), &sample)).source("no/such/folder");
    assert!(
        nowhere
            .check()
            .unwrap_err()
            .to_string()
            .contains("no Rust file")
    );
}

#[test]
fn x7_an_exemption_wants_a_reason_and_is_listed() {
    let source = format!("{LISTED} #[derive(Dto)] struct Payslip;");
    let it = crate_of(&source, "md");
    let sample = sample();
    let checked = |reason| {
        review(&APP, with_viewers(Matrix::of(&APP), &sample))
            .source(&it.src)
            .exempt("Payslip", reason)
            .check()
    };
    assert!(
        checked(" ")
            .unwrap_err()
            .to_string()
            .contains("needs a reason")
    );
    let matrix = checked("a derive of another library").unwrap();
    assert!(
        matrix
            .to_markdown()
            .contains("| not listed in app! | `Payslip` | a derive of another library |")
    );
}

#[test]
fn x7_calls_around_the_rules_are_found_in_the_source() {
    let source = format!(
        "{LISTED}
        fn open(pool: Pool) -> Db {{ Db::unguarded_pool(pool, \"the application owns it\") }}
        impl Jobs {{ fn nightly(&self) {{ let access = clearance::Access::system(REASON); }} }}
        fn report(reader: Reader) {{ reader.unguarded_sql(\"a report\", \"SELECT 1\"); }}
        #[cfg(test)] fn only_for_tests() {{ Access::system(\"test\"); }}
        fn other() {{ Machine::system(\"no access\"); machine.viewers(1); }}
        fn members(db: Db) {{ db.viewers(User::ID, \"a viewer is loaded\", member); }}
        fn more(db: Db) {{ Db::viewers(&db, User::ID, \"and another\", member); }}"
    );
    let it = crate_of(&source, "md");
    let matrix = json(&it.check(true).unwrap());
    let hatches = matrix["escape_hatches"].as_array().unwrap();
    let calls: Vec<_> = hatches
        .iter()
        .skip(5)
        .map(|hatch| {
            ["kind", "what", "reason", "at"]
                .map(|key| hatch[key].as_str().unwrap())
                .join(" | ")
        })
        .collect();
    assert_eq!(
        calls,
        [
            "Access::system | in nightly | the reason is not written there as a string literal | src/deeper/lib.rs:8",
            "Db::viewers | in members | a viewer is loaded | src/deeper/lib.rs:12",
            "Db::viewers | in more | and another | src/deeper/lib.rs:13",
            "unguarded_pool | in open | the application owns it | src/deeper/lib.rs:7",
            "unguarded_sql | in report | a report | src/deeper/lib.rs:9",
        ]
    );
    assert_eq!(matrix["source_was_read"], true);
}

#[test]
fn x7_a_secret_that_a_public_method_reads_is_a_way_around() {
    let source = format!(
        "{LISTED}
        impl People {{
            #[public(access, reason = \"whoever signs in is nobody yet\")]
            pub async fn fits(&self, name: &str) -> Result<bool> {{
                self.db.reader(&access).secret(Person::HASH, Person::NAME, name).await
            }}
            #[authenticated(access)]
            pub async fn own(&self) -> Result<bool> {{
                self.db.reader(&access).secret(Person::HASH, Person::ID, 1).await
            }}
        }}
        fn helper(reader: &Reader<'_, Public>) {{ Reader::secret(reader, A, B, 1); }}
        fn of_members(reader: &Reader<'_, Read<Member>>) {{ reader.secret(A, B, 1); }}
        impl Vault {{ #[public(access, reason = \"x\")] fn open(&self) {{ self.secret(); }} }}"
    );
    let it = crate_of(&source, "md");
    let matrix = json(&it.check(true).unwrap());
    let hatches = matrix["escape_hatches"].as_array().unwrap();
    let secrets: Vec<_> = hatches
        .iter()
        .filter(|hatch| hatch["kind"] == "secret in a public method")
        .map(|hatch| {
            ["what", "reason", "at"]
                .map(|key| hatch[key].as_str().unwrap())
                .join(" | ")
        })
        .collect();
    assert_eq!(
        secrets,
        [
            "in helper | the reason is not written there as a string literal | src/deeper/lib.rs:17",
            "in fits | whoever signs in is nobody yet | src/deeper/lib.rs:10",
        ]
    );
}
