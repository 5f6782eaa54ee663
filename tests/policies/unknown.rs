//! Unknown is deny, in SQL as in Rust: N rows and rule T-1.

use clearance::policy::{Context, Truth, evaluate};
use clearance::{Dto, Field, rule};

use crate::support::*;

/// Which people show `salary` under a named rule: in the database, and as the evaluator says.
macro_rules! agree {
    ($viewer:expr, $people:expr, $rule:ident) => {{
        #[derive(Dto)]
        #[dto(entity = Person, default = visible)]
        struct Card {
            id: i64,
            #[visible_if(rule = $rule)]
            salary: Field<i64>,
        }

        let people: Vec<Person> = $people;
        let context = Context::new(instant(0));
        let viewer: Member = $viewer;
        let in_rust: Vec<i64> = people
            .iter()
            .filter(|person| {
                evaluate(&$rule(), Some(&viewer), person, &context).unwrap() == Truth::True
            })
            .map(|person| person.id)
            .collect();
        let directory = directory_of(people).await;
        let in_sql: Vec<i64> = as_viewer(viewer, async {
            let access = read().await;
            let query = Card::select().order(Card::ID.asc());
            directory.db.reader(&access).all(query).await.unwrap()
        })
        .await
        .iter()
        .filter(|card| !card.salary.is_hidden())
        .map(|card| card.id)
        .collect();
        assert_eq!(in_rust, in_sql);
        in_sql
    }};
}

/// One person of team red, one of team blue, one of none.
fn teams() -> Vec<Person> {
    vec![
        person(1, Some("red")),
        person(2, Some("blue")),
        person(3, None),
    ]
}

#[tokio::test]
async fn n1_t_1_a_comparison_with_null_is_denied_both_ways() {
    #[rule]
    fn rule_1(viewer: &Member, row: &Person) -> bool {
        row.team == "red"
    }

    #[rule]
    fn rule_2(viewer: &Member, row: &Person) -> bool {
        row.team != "red"
    }

    #[rule]
    fn rule_3(viewer: &Member, row: &Person) -> bool {
        !(row.team == "red")
    }

    #[rule]
    fn rule_4(viewer: &Member, row: &Person) -> bool {
        !(row.team != "red")
    }

    assert_eq!(agree!(stranger(), teams(), rule_1), [1]);
    assert_eq!(agree!(stranger(), teams(), rule_2), [2]);
    assert_eq!(agree!(stranger(), teams(), rule_3), [2]);
    assert_eq!(agree!(stranger(), teams(), rule_4), [1]);
}

#[tokio::test]
async fn n2_t_1_a_deny_rule_that_is_unknown_denies() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[hidden_if(row.team == "red")]
        salary: Field<i64>,
    }

    let directory = directory_of(teams()).await;
    let rows = as_viewer(admin(), async {
        let access = read().await;
        let query = Card::select().order(Card::ID.asc());
        directory.db.reader(&access).all(query).await.unwrap()
    })
    .await;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.id, row.salary.is_hidden()))
        .collect();
    assert_eq!(shown, [(1, true), (2, false), (3, true)]);
}

#[tokio::test]
async fn n3_lists_empty_of_one_and_with_a_null() {
    #[rule]
    fn rule_5(viewer: &Member, row: &Person) -> bool {
        NONE.contains(&row.team)
    }

    #[rule]
    fn rule_6(viewer: &Member, row: &Person) -> bool {
        !NONE.contains(&row.team)
    }

    #[rule]
    fn rule_7(viewer: &Member, row: &Person) -> bool {
        ONE.contains(&row.team)
    }

    #[rule]
    fn rule_8(viewer: &Member, row: &Person) -> bool {
        !ONE.contains(&row.team)
    }

    #[rule]
    fn rule_9(viewer: &Member, row: &Person) -> bool {
        WITH_NULL.contains(&row.team)
    }

    #[rule]
    fn rule_10(viewer: &Member, row: &Person) -> bool {
        !WITH_NULL.contains(&row.team)
    }

    const NONE: [&str; 0] = [];
    const ONE: [&str; 1] = ["red"];
    const WITH_NULL: [Option<&str>; 2] = [Some("red"), None];
    assert_eq!(agree!(stranger(), teams(), rule_5), [0; 0]);
    // Nothing is in an empty list, not even something unknown.
    assert_eq!(agree!(stranger(), teams(), rule_6), [1, 2, 3]);
    assert_eq!(agree!(stranger(), teams(), rule_7), [1]);
    assert_eq!(agree!(stranger(), teams(), rule_8), [2]);
    assert_eq!(agree!(stranger(), teams(), rule_9), [1]);
    // Whether a team equals the unset member cannot be known.
    assert_eq!(agree!(stranger(), teams(), rule_10), [0; 0]);
}

#[tokio::test]
async fn n9_a_value_on_the_left_is_not_flipped() {
    #[rule]
    fn rule_11(viewer: &Member, row: &Person) -> bool {
        3_000 <= row.salary
    }

    #[rule]
    fn rule_12(viewer: &Member, row: &Person) -> bool {
        3_000 > row.salary
    }

    #[rule]
    fn rule_13(viewer: &Member, row: &Person) -> bool {
        viewer.id < row.author
    }

    #[rule]
    fn rule_14(viewer: &Member, row: &Person) -> bool {
        viewer.id < row.author
    }

    let people = || (1..=4).map(|id| person(id, None)).collect();
    assert_eq!(agree!(stranger(), people(), rule_11), [3, 4]);
    assert_eq!(agree!(stranger(), people(), rule_12), [1, 2]);
    assert_eq!(agree!(stranger(), people(), rule_13), [0; 0]);
    assert_eq!(agree!(admin(), people(), rule_14), [1, 2, 3, 4]);
}

#[tokio::test]
async fn n10_double_and_triple_negation_and_not_over_or() {
    #[rule]
    fn rule_15(viewer: &Member, row: &Person) -> bool {
        !!(row.team == "red")
    }

    #[rule]
    fn rule_16(viewer: &Member, row: &Person) -> bool {
        !!!(row.team == "red")
    }

    #[rule]
    fn rule_17(viewer: &Member, row: &Person) -> bool {
        !(row.team == "red" || row.salary > 5_000)
    }

    #[rule]
    fn rule_18(viewer: &Member, row: &Person) -> bool {
        row.team == "red" || row.salary >= 3_000
    }

    #[rule]
    fn rule_19(viewer: &Member, row: &Person) -> bool {
        !(row.team == "red" && row.salary >= 9_000)
    }

    assert_eq!(agree!(stranger(), teams(), rule_15), [1]);
    assert_eq!(agree!(stranger(), teams(), rule_16), [2]);
    assert_eq!(agree!(stranger(), teams(), rule_17), [2]);
    // True or unknown is true; false and unknown is false.
    assert_eq!(agree!(stranger(), teams(), rule_18), [1, 3]);
    assert_eq!(agree!(stranger(), teams(), rule_19), [1, 2, 3]);
}

#[tokio::test]
async fn n10_null_tests_are_two_valued() {
    #[rule]
    fn rule_20(viewer: &Member, row: &Person) -> bool {
        row.team.is_some()
    }

    #[rule]
    fn rule_21(viewer: &Member, row: &Person) -> bool {
        !row.team.is_some()
    }

    #[rule]
    fn rule_22(viewer: &Member, row: &Person) -> bool {
        row.team.is_none() && !row.suspended
    }

    assert_eq!(agree!(stranger(), teams(), rule_20), [1, 2]);
    assert_eq!(agree!(stranger(), teams(), rule_21), [3]);
    assert_eq!(agree!(stranger(), teams(), rule_22), [3]);
}

#[tokio::test]
async fn n1_a_text_outside_its_declared_set_is_unknown() {
    #[derive(Dto)]
    #[dto(entity = Person, default = visible)]
    struct Card {
        id: i64,
        #[visible_if(row.status == Status::Active)]
        salary: Field<i64>,
        #[visible_if(row.status != Status::Active)]
        phone: Field<Option<String>>,
        #[visible_if(![Status::Active, Status::Away].contains(&row.status))]
        email: Field<Option<String>>,
    }

    let directory = directory_of((1..=3).map(|id| person(id, None)).collect()).await;
    execute(
        &directory.pool,
        "UPDATE people SET status = 'ACTIVE' WHERE id = 2; UPDATE people SET status = 'left' WHERE id = 3;",
    )
    .await;
    let rows = as_viewer(admin(), async {
        let access = read().await;
        let query = Card::select().order(Card::ID.asc());
        directory.db.reader(&access).all(query).await.unwrap()
    })
    .await;
    let hidden: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.id,
                row.salary.is_hidden(),
                row.phone.is_hidden(),
                row.email.is_hidden(),
            )
        })
        .collect();
    assert_eq!(
        hidden,
        [
            (1, false, true, true),
            (2, true, true, true),
            (3, true, false, false),
        ]
    );
}
