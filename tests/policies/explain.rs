//! Which rule decided, where it stands, what went in and what came out: X6, P10, P11.

use clearance::entity::RowAction;
use clearance::policy::Truth;
use clearance::repository::Explanation;
use clearance::{Dto, Field};

use crate::support::*;

async fn explained(viewer: Member, row: Person) -> Explanation {
    as_viewer(viewer, async move {
        read().await.explain::<Profile>(&row).await.unwrap()
    })
    .await
}

#[tokio::test]
async fn x6_p10_a_field_names_the_rule_that_decided_with_its_inputs_and_outcome() {
    let explanation = explained(editor(), person(3, Some("blue"))).await;
    let phone = explanation.field("phone").unwrap();
    assert_eq!(phone.outcome(), Ok(Truth::False));
    let rule = phone.deciding().next().unwrap();
    assert_eq!(
        rule.source().text,
        "viewer.role >= Role::Admin || same(viewer.team, row.team)"
    );
    assert!(
        rule.source()
            .place()
            .starts_with("tests/policies/support.rs:")
    );
    let parts: Vec<_> = rule
        .root()
        .parts()
        .iter()
        .map(|part| (part.text(), part.outcome(), part.decides()))
        .collect();
    assert_eq!(
        parts,
        [
            ("viewer.role >= Role::Admin", Ok(Truth::False), true),
            ("viewer.team == row.team", Ok(Truth::False), true),
        ]
    );
}

#[tokio::test]
async fn x6_p10_the_part_that_was_enough_is_the_one_marked() {
    let explanation = explained(editor(), person(1, Some("red"))).await;
    let phone = explanation.field("phone").unwrap();
    assert_eq!(phone.outcome(), Ok(Truth::True));
    let rule = phone.deciding().next().unwrap();
    let decides: Vec<_> = rule
        .root()
        .parts()
        .iter()
        .map(|part| part.decides())
        .collect();
    assert_eq!(decides, [false, true]);
}

#[tokio::test]
async fn x6_a_row_is_explained_operation_by_operation() {
    let suspended = Person {
        suspended: true,
        ..person(6, Some("red"))
    };
    let explanation = explained(editor(), suspended).await;
    let outcome = |action| explanation.rows(action).unwrap().outcome();
    assert_eq!(outcome(RowAction::Read), Ok(Truth::False));
    assert_eq!(outcome(RowAction::Update), Ok(Truth::True));
    assert_eq!(outcome(RowAction::Delete), Ok(Truth::False));
}

#[tokio::test]
async fn x6_the_first_rule_that_does_not_allow_is_the_one_that_decided() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person)]
    struct Card {
        #[visible_if(row.suspended)]
        #[visible_if(viewer.role >= Role::Admin)]
        #[hidden_if(row.team.is_none())]
        email: Field<Option<String>>,
    }

    let row = Person {
        suspended: true,
        ..person(6, None)
    };
    let explanation = as_viewer(editor(), async {
        read().await.explain::<Card>(&row).await.unwrap()
    });
    let explanation = explanation.await;
    let email = explanation.field("email").unwrap();
    let deciding: Vec<_> = email.deciding().map(|rule| rule.source().text).collect();
    assert_eq!(deciding, ["viewer.role >= Role::Admin"]);
    assert_eq!(email.rules().len(), 3);
    // `hidden_if` states the opposite: its condition is true, so the rule is not.
    let hidden = &email.rules()[2];
    assert_eq!(hidden.outcome(), Ok(Truth::False));
    assert_eq!(hidden.root().parts()[0].outcome(), Ok(Truth::True));
    assert!(explanation.field("phone").is_none());
}

#[tokio::test]
async fn x6_p10_it_reads_as_a_log_entry() {
    let explanation = explained(stranger(), person(4, None)).await;
    let text = explanation.to_string();
    let text = text
        .lines()
        .map(|line| match line.split_once(".rs:") {
            Some((file, rest)) => {
                format!(
                    "{file}.rs:{}",
                    rest.trim_start_matches(|c: char| c.is_ascii_digit())
                )
            }
            None => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn x6_p11_neither_text_nor_debug_holds_what_a_row_or_a_viewer_holds() {
    let viewer = Member {
        id: 424_242,
        role: Role::Editor,
        team: Some("viewers-own-team".into()),
    };
    let row = Person {
        author: 535_353,
        team: Some("team-of-the-row".into()),
        salary: 646_464,
        ..person(7, None)
    };
    let explanation = explained(viewer, row).await;
    let text = explanation.to_string();
    for hidden in [
        "424242",
        "viewers-own-team",
        "535353",
        "team-of-the-row",
        "646464",
        "555007",
        "hash-of",
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

#[tokio::test]
async fn x6_values_are_there_for_a_test_that_asks() {
    let explanation = explained(editor(), person(3, Some("blue"))).await;
    let phone = explanation.field("phone").unwrap();
    let rule = phone.deciding().next().unwrap();
    let values = rule.root().parts()[1].values();
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    assert_eq!(
        values,
        [r#"viewer.team: Text("red")"#, r#"row.team: Text("blue")"#]
    );
}

#[tokio::test]
async fn x6_it_leaves_an_event_under_its_own_target() {
    let events = Events::of("clearance::explain");
    explained(editor(), person(3, Some("blue"))).await;
    let events = events.take();
    assert_eq!(events.len(), 1);
    assert!(events[0].starts_with("DEBUG "), "{events:?}");
    assert!(
        events[0].contains("false: viewer.team == row.team"),
        "{events:?}"
    );
}

#[tokio::test]
async fn x6_x11_nobody_and_the_program_itself_are_explained_too() {
    let row = person(1, Some("red"));
    let nobody = as_nobody(async { public().explain::<Profile>(&row).await.unwrap() }).await;
    let phone = nobody.field("phone").unwrap();
    assert_eq!(phone.outcome(), Ok(Truth::Unknown));
    assert_eq!(
        nobody.rows(RowAction::Update).unwrap().outcome(),
        Ok(Truth::False)
    );

    let program = system().explain::<Profile>(&row).await.unwrap();
    assert_eq!(program.field("phone").unwrap().outcome(), Ok(Truth::True));
    assert!(
        program
            .to_string()
            .contains("because the program itself asks")
    );
}

#[tokio::test]
async fn x6_p10_what_related_rows_decide_is_said_to_be_missing() {
    use crate::blog::{CommentView, Reader, comment, reader};

    let row = comment(1, 1, Some(1), Some(false));
    let explanation = clearance::testing::as_viewer(reader(1, None))
        .scope(async move {
            let access = clearance::Access::<clearance::Read<Reader>>::authenticated();
            access
                .await
                .unwrap()
                .explain::<CommentView>(&row)
                .await
                .unwrap()
        })
        .await;
    let field = explanation.field("reported").unwrap();
    assert_eq!(field.outcome(), Ok(Truth::Unknown));
    assert!(field.needs_related_rows());
    let rule = field.deciding().next().unwrap();
    assert_eq!(
        rule.root().text(),
        "exists(row.author, ..), related rows not at hand"
    );
    let text = explanation.to_string();
    assert!(
        text.contains("not decided by this row alone, because the rule reads related rows"),
        "{text}"
    );
}
