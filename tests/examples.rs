//! The examples are run, so that they keep working.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test by panicking"
)]

#[path = "../examples/quickstart/main.rs"]
#[expect(
    dead_code,
    reason = "the tests take the tour themselves, without `main`"
)]
mod quickstart;

#[path = "../examples/matrix/main.rs"]
#[expect(dead_code, reason = "the test takes the check, without `main`")]
mod matrix;

use quickstart::expected::{Cast, Expected};
use quickstart::{Outcome, prepare, run, seed};

async fn outcome(expect: impl FnOnce(&mut Expected)) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let database = prepare(directory.path()).await.unwrap();
    let cast = Cast::new(seed::person);
    let mut expected = Expected::new(&cast);
    expect(&mut expected);
    run(&database, &cast, &expected).await.unwrap()
}

#[tokio::test]
async fn the_quickstart_gets_every_answer_right() {
    let outcome = outcome(|_| {}).await;
    assert!(outcome.mismatches.is_empty(), "{}", outcome.report);
    for line in outcome.report.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
}

#[tokio::test]
async fn the_readme_shows_what_the_quickstart_prints() {
    let readme = include_str!("../README.md");
    let (_, shown) = readme.split_once("```text\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let report = outcome(|_| {}).await.report;
    let printed: Vec<&str> = report.lines().collect();
    for line in shown.lines() {
        assert!(printed.contains(&line), "not printed: {line}");
    }
}

#[tokio::test]
async fn the_quickstart_fails_on_each_wrong_expectation() {
    let outcome = outcome(|expected| {
        // The stranger's phone, the column of the team mate's salary, the stranger's rename, and
        // the forged cookie.
        expected.fields.rows[4].1[2] = "+44 20 7946 0143".to_owned();
        expected.statements.rows[2].1[1] = "named".to_owned();
        expected.others.rows[2].1[2] = "200".to_owned();
        expected.cookies.rows[2].1[0] = "200".to_owned();
    })
    .await;
    let wrong = [
        "phone, stranger: expected `+44 20 7946 0143`, got `hidden`",
        "salary, team mate: expected `named`, got `not named`",
        "(rename), stranger: expected `200`, got `403`",
        "forged: one character changed, status: expected `200`, got `401`",
    ];
    assert_eq!(outcome.mismatches.len(), wrong.len(), "{}", outcome.report);
    for (mismatch, wrong) in outcome.mismatches.iter().zip(wrong) {
        assert!(mismatch.ends_with(wrong), "{mismatch}");
    }
    assert!(outcome.report.contains("4 WRONG ANSWERS"));
}

#[tokio::test]
async fn the_quickstart_fails_when_a_row_is_not_there() {
    let outcome = outcome(|expected| {
        expected.fields.rows.pop();
    })
    .await;
    assert_eq!(outcome.mismatches.len(), 1, "{}", outcome.report);
}

#[tokio::test]
async fn x7_the_matrix_of_the_quickstart_is_under_review() {
    use clearance_matrix::{Matrix, review};
    use quickstart::directory::{APP, Member};

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    let place = tempfile::tempdir().unwrap();
    let db = prepare(place.path()).await.unwrap();
    let schema = db.schema(&APP).await.unwrap();
    let cast = Cast::new(seed::person);
    let [admin, mate, stranger] = [cast.admin, cast.mate, cast.stranger].map(|user| Member {
        id: user.id,
        role: user.role,
        team: user.team,
    });
    let matrix = Matrix::of(&APP)
        .viewer("admin", &admin)
        .viewer("team mate", &mate)
        .viewer("stranger", &stranger)
        .with_schema(&schema);
    review(&APP, matrix)
        .source(format!("{folder}/directory.rs"))
        .file(format!("{folder}/access-matrix.md"))
        .check()
        .unwrap();
}

#[test]
fn x7_dt_09_the_matrix_example_is_under_review() {
    matrix::check::matrix_is_the_reviewed_one().unwrap();
}
